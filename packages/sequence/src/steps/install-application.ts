import { z } from "zod";
import { referenceSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Install Application (features.md F231, F232). */
export const installApplicationStep = defineStepType({
  type: "install-application",
  title: "Install application",
  summary: "Installs applications from the local cache, what they depend on first. One that its detection rules find already is left alone.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      application: referenceSchema.optional().describe("The application"),
      applications: z.array(referenceSchema).min(1).max(100).optional().describe("Several, in this order"),
      timeoutSeconds: timeoutSchema,
    })
    .refine((value) => (value.application === undefined) !== (value.applications === undefined), "either application or applications"),
  again: "What is detected is not installed again; an installation that was cut short is begun anew.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Applications
  type: install-application
  with: { applications: [ABC00004, ABC00007] }`,
});
