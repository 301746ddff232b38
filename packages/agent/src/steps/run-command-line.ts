import { runCommandLineStep } from "@prestage/sequence";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";

/** Runs a command line by `sh -c`. */
export const step = defineStep(runCommandLineStep, async (run, { command, package: id, successCodes, restartCodes, timeoutSeconds }) => {
  const { content, signal, environment } = run.context;
  const copy = id === undefined ? undefined : await content.checkOut(id);
  try {
    const result = await runShell(command, { cwd: copy?.folder ?? "/", signal, timeoutSeconds, secrets: run.secrets, onLine: run.output });
    const { restartAsked, ...outcome } = shellStepResult(result, "the command", successCodes, restartCodes);
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    await copy?.release();
  }
});
