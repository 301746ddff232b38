import { z } from "zod";
import { baseVariableSchema, flagSchema, integerSchema, referenceSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Install Application (features.md F231, F232). */
export const installApplicationStep = defineStepType({
  type: "install-application",
  title: "Install application",
  reference: ["Install Application", "MDT Install Application"],
  summary: "Installs applications from the local cache: first what they depend on, after what they supersede was removed. One that its detection rules find already is left alone, and so is one whose requirement this computer does not meet.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      application: referenceSchema.optional().describe("The application"),
      applications: z.array(referenceSchema).min(1).max(100).optional().describe("Several, in this order"),
      baseVariable: baseVariableSchema.optional().describe("Those whose ids the variables NAME01, NAME02 and so on hold, to the first that is not set"),
      continueOnInstallError: flagSchema.default(false).describe("true: one that fails does not keep the others from being installed, nor fail the step"),
      retries: integerSchema.pipe(z.int().max(100)).default(0).describe("How often one that fails is tried again"),
      retryMilliseconds: integerSchema.pipe(z.int().max(3_600_000)).default(30_000).describe("Milliseconds before it is"),
      errorOnWarning: flagSchema.default(false).describe("true: a requirement that is not met is a failure"),
      timeoutSeconds: timeoutSchema,
    })
    .refine((value) => [value.application, value.applications, value.baseVariable].filter((one) => one !== undefined).length === 1, "one of application, applications and baseVariable"),
  variables: { retries: "OSDAppInstallRetries", retryMilliseconds: "OSDAppInstallRetryTimeout", errorOnWarning: "TSErrorOnWarning" },
  sets: { _TSAppInstallStatus: "Success; Warning: a requirement was not met; Error: one failed; Undefined: none was installed" },
  again: "What is detected is not installed again; an installation that was cut short is begun anew.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Applications
  type: install-application
  with: { applications: [ABC00004, ABC00007], retries: 2 }`,
});
