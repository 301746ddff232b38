import { resolve } from "node:path";
import { runCommandLineStep } from "@prestage/sequence";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";

/** Runs a command line by the system's shell. */
export const step = defineStep(runCommandLineStep, async (run, { command, package: id, workingFolder, outputVariable, successCodes, restartCodes, timeoutSeconds }) => {
  const { content, environment } = run.context;
  const copy = id === undefined ? undefined : await content.checkOut(id);
  try {
    const cwd = resolve(copy?.folder ?? "/", workingFolder ?? ".");
    const { restartAsked, ...outcome } = await runStepCommand(run, command, { cwd, what: "the command", successCodes, restartCodes, timeoutSeconds, outputVariable });
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    await copy?.release();
  }
});
