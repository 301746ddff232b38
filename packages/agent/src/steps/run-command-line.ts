import { resolve } from "node:path";
import { runCommandLineStep } from "@prestage/sequence";
import { openAccountPlace } from "./account-place.ts";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";

/** Runs a command line by the system's shell, as the agent or as another account. */
export const step = defineStep(runCommandLineStep, async (run, { command, package: id, workingFolder, outputVariable, successCodes, restartCodes, timeoutSeconds, account }) => {
  const { content, environment } = run.context;
  const as = account === undefined ? undefined : await openAccountPlace(run, account.name);
  let copy: Awaited<ReturnType<typeof content.checkOut>> | undefined;
  try {
    copy = id === undefined ? undefined : await content.checkOut(id);
    const folder = copy === undefined ? "/" : ((await as?.lendFolder(copy.folder)) ?? copy.folder);
    const cwd = resolve(folder, workingFolder ?? ".");
    const { restartAsked, ...outcome } = await runStepCommand(run, command, { cwd, what: "the command", successCodes, restartCodes, timeoutSeconds, outputVariable, as });
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    await copy?.release();
    await as?.remove();
  }
});
