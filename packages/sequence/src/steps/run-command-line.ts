import { z } from "zod";
import { commandSchema, referenceSchema, restartCodesSchema, successCodesSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Run Command Line (features.md F234, F196). */
export const runCommandLineStep = defineStepType({
  type: "run-command-line",
  title: "Run command line",
  summary: "Runs a command line by `sh -c`; its folder is the package's, where one is named.",
  environments: ["environment", "installed"],
  settings: z.strictObject({
    command: commandSchema.describe("The command line; `%NAME%` is a variable"),
    package: referenceSchema.optional().describe("Its folder is the working directory"),
    successCodes: successCodesSchema,
    restartCodes: restartCodesSchema,
    timeoutSeconds: timeoutSchema,
  }),
  again: "The command is run again: write it so that this does no harm.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Time zone
  type: run-command-line
  with: { command: "timedatectl set-timezone %OSDTimeZone%", successCodes: [0] }`,
});
