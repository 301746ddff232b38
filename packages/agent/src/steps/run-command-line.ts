import { resolve } from "node:path";
import { runCommandLineStep } from "@prestage/sequence";
import { keptOutput } from "./kept-output.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";

/** Runs a command line by the system's shell. */
export const step = defineStep(runCommandLineStep, async (run, { command, package: id, workingFolder, outputVariable, successCodes, restartCodes, timeoutSeconds }) => {
  const { content, signal, environment } = run.context;
  const copy = id === undefined ? undefined : await content.checkOut(id);
  const output = keptOutput(run);
  try {
    const cwd = resolve(copy?.folder ?? "/", workingFolder ?? ".");
    const result = await runShell(command, { cwd, signal, timeoutSeconds, secrets: run.secrets, onLine: output.onLine });
    const { restartAsked, ...outcome } = shellStepResult(result, "the command", successCodes, restartCodes);
    if (outcome.failure === undefined) output.into(outputVariable);
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    await copy?.release();
  }
});
