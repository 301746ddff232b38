import { z } from "zod";
import { runShell, shellStepResult } from "./run-shell.ts";
import { commandSchema, integerSchema, referenceSchema } from "./settings.ts";
import { defineStep } from "./step-executor.ts";

const settings = z.strictObject({
  command: commandSchema,
  /** Its folder is the working directory. */
  package: referenceSchema.optional(),
  successCodes: z.array(integerSchema).max(64).default([0]),
  restartCodes: z.array(integerSchema).max(64).default([]),
  timeoutSeconds: integerSchema.optional(),
});

/** Runs a command line by `sh -c`. */
export const step = defineStep({
  type: "run-command-line",
  environments: ["boot", "installed"],
  settings,
  run: async (run, { command, package: id, successCodes, restartCodes, timeoutSeconds }) => {
    const { content, signal, environment } = run.context;
    const copy = id === undefined ? undefined : await content.checkOut(id);
    try {
      const result = await runShell(command, { cwd: copy?.folder ?? "/", signal, timeoutSeconds, secrets: run.secrets, onLine: run.output });
      const { restartAsked, ...outcome } = shellStepResult(result, "the command", successCodes, restartCodes);
      return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
    } finally {
      await copy?.release();
    }
  },
});
