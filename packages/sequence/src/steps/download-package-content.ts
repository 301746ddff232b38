import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { nameIn } from "./named-variables.ts";
import { defineStepType } from "./step-definition.ts";

/** Download Package Content (features.md F235). */
export const downloadPackageContentStep = defineStepType({
  type: "download-package-content",
  title: "Download package content",
  reference: ["Download Package Content"],
  summary: "Makes content whole in the local cache before a later step needs it, and names its folder in a variable.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    packages: z.array(referenceSchema).min(1).max(100).describe("Packages"),
    variable: z.string().max(250).optional().describe("NAME01, NAME02 and so on are set to the folders, in this order"),
  }),
  setsNamed: (settings) => {
    const count = Array.isArray(settings["packages"]) ? settings["packages"].length : 0;
    return nameIn(settings, "variable").flatMap((name) => Array.from({ length: count }, (_, i) => `${name}${String(i + 1).padStart(2, "0")}`));
  },
  again: "What is whole already is not fetched again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: Fetch it now
  type: download-package-content
  with: { packages: [ABC00005], variable: Fetched }`,
});
