import { access } from "node:fs/promises";
import { join } from "node:path";
import { installUpdatesStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { stageUpdatesForWindows } from "../windows/stage-updates.ts";
import { installByApt } from "./updates/apt.ts";
import { dnfCommand, dnfRefresh, restartWantedByDnf, restartWantedByZypper, zypperCommands } from "./updates/rpm.ts";
import { filesBelow } from "../windows/files-below.ts";
import { restartRequired } from "./installer-codes.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import type { UpdateResult, UpdateSettings } from "./updates/update-result.ts";
import { defineStep } from "./step-executor.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

/** Installs updates of the installed system by its own package manager; in the boot environment lays them onto a Windows. */
export const step = defineStep(installUpdatesStep, async (run, { package: id, restart, server, ...settings }) => {
  const { context } = run;
  if (context.environment === "boot") {
    if (id === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected a package of updates: in the boot environment there is no system that could ask for them; found none.", "Name a package in the step, or move it behind the restart into the installed system.");
    return stageUpdatesForWindows(run, id);
  }
  if (server !== undefined) run.output("the update server is for Windows; this system asks its own repositories");
  const copy = id === undefined ? undefined : await context.content.checkOut(id);
  try {
    const { result, restartWanted } = await installBy(run, settings, copy?.folder);
    if (result.failure !== undefined || !restartWanted) return result;
    run.output(restart ? "a restart is wanted" : "a restart is wanted; the step says to go on without");
    return { ...result, exitCode: restartRequired, ...(restart && { restart: "installed" }) };
  } finally {
    await copy?.release();
  }
});

async function installBy(run: StepRun, settings: UpdateSettings, folder: string | undefined): Promise<UpdateResult> {
  const { dataRoot } = run.context;
  const has = (program: string) => access(join(dataRoot, "usr/bin", program)).then(() => true, () => false);
  if (await has("apt-get")) return installByApt(run, settings, folder);
  const packages = folder === undefined ? undefined : (await filesBelow(folder)).filter((path) => path.endsWith(".rpm"));
  if (await has("dnf")) {
    const scanned = packages === undefined ? await command(run, settings.scanTimeoutSeconds, dnfRefresh, [0]) : {};
    if (scanned.failure !== undefined) return { result: scanned, restartWanted: false };
    return { result: await command(run, settings.timeoutSeconds, dnfCommand(settings, packages), [0]), restartWanted: await restartWantedByDnf() };
  }
  if (await has("zypper")) {
    let result: StepResult = {};
    for (const line of zypperCommands(settings, packages)) {
      // 102, 103 (zypper(8)): a restart is wanted; the package manager itself was updated, and the rest is wanted still.
      const seconds = line.endsWith(" refresh") ? settings.scanTimeoutSeconds : settings.timeoutSeconds;
      result = await command(run, seconds, line, [0, 102, 103]);
      if (result.exitCode === 103) result = await command(run, seconds, line, [0, 102]);
      if (result.failure !== undefined) break;
    }
    return { result, restartWanted: result.exitCode === 102 || (await restartWantedByZypper()) };
  }
  throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected a system with apt-get, dnf or zypper; found none of them.", "Update such a system by a run-command-line step.");
}

async function command(run: StepRun, timeoutSeconds: number | undefined, line: string, successCodes: readonly number[]): Promise<StepResult> {
  const { restartAsked: _, ...outcome } = shellStepResult(await runShell(line, { cwd: "/", signal: run.context.signal, timeoutSeconds, onLine: run.output }), "the installation of updates", successCodes);
  return outcome;
}
