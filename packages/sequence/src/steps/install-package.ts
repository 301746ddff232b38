import { z } from "zod";
import { referenceSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Install Package (features.md F233). */
export const installPackageStep = defineStepType({
  type: "install-package",
  title: "Install package",
  summary: "Runs one program of a package, with the package's folder as working directory.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ package: referenceSchema.describe("The package"), program: z.string().min(1).max(50).describe("Name of its program"), timeoutSeconds: timeoutSchema }),
  again: "The program is run again: write it so that this does no harm.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Site settings
  type: install-package
  with: { package: ABC00005, program: Apply }`,
});
