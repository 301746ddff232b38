import { z } from "zod";
import { commandSchema, referenceSchema, restartCodesSchema, successCodesSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

export const scriptLanguages = ["sh", "javascript", "powershell"] as const;

/** Run PowerShell Script (features.md F234), and its like for Linux. */
export const runScriptStep = defineStepType({
  type: "run-script",
  title: "Run script",
  summary: "Runs a script, written in the sequence or lying in a package: by `sh`, by the agent's own Node.js, or by PowerShell where it is installed. What it prints may go into a variable.",
  environments: ["environment", "installed"],
  settings: z
    .strictObject({
      language: z.enum(scriptLanguages).default("sh"),
      script: commandSchema.optional().describe("Its text; `%NAME%` is a variable"),
      file: z.string().min(1).max(1024).regex(/^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\\]+$/, "a path below the package's folder").optional().describe("A file of the package instead"),
      package: referenceSchema.optional().describe("Its folder is the working directory"),
      parameters: z.array(z.string().max(8192)).max(100).default([]).describe("Arguments"),
      outputVariable: z.string().max(256).optional().describe("The first 1,000 characters it prints go into this variable"),
      successCodes: successCodesSchema,
      restartCodes: restartCodesSchema,
      timeoutSeconds: timeoutSchema,
    })
    .refine((value) => (value.script === undefined) !== (value.file === undefined), "either script or file")
    .refine((value) => value.file === undefined || value.package !== undefined, "a file lies in a package"),
  again: "The script is run again: write it so that this does no harm.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: Which branch
  type: run-script
  with: { script: "hostname | cut -d- -f1", outputVariable: Branch }`,
});
