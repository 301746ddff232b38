import { cp, mkdir, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { runProgram } from "@prestage/disk";
import { stagedUpdateCommand, stagedUpdates, stagedUpdatesAnswers } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import type { StepResult, StepRun } from "../steps/step-executor.ts";
import { filesBelow } from "./files-below.ts";
import { requireWindows, writeAnswers } from "./write-answers.ts";

/** Longest Path of a RunSynchronousCommand (Unattended Windows Setup Reference). */
const longestCommand = 259;

/**
 * Lays a package of updates onto a Windows that has not started yet, whole or not at all, and has Windows Setup add them.
 * @throws AgentError PRESTAGE_AGENT_NOT_WINDOWS
 */
export async function stageUpdatesForWindows(run: StepRun, id: string): Promise<StepResult> {
  const { content, dataRoot, signal } = run.context;
  await requireWindows(dataRoot);
  const copy = await content.checkOut(id);
  try {
    const updates = (await filesBelow(copy.folder)).map((path) => relative(copy.folder, path)).filter((path) => /\.(msu|cab)$/i.test(path));
    const tooLong = updates.find((path) => stagedUpdateCommand(`${id}/${path}`).length > longestCommand);
    if (updates.length === 0 || tooLong !== undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected updates, .msu or .cab, in ${copy.content.name}, each with a path of which a command of ${longestCommand} characters can be made; found ${tooLong === undefined ? "none" : tooLong}.`, "Import the package with the updates in its own folder.");
    const target = join(dataRoot, stagedUpdates, id);
    await mkdir(join(dataRoot, stagedUpdates), { recursive: true });
    for (const path of [`${target}.partial`, target]) await rm(path, { recursive: true, force: true });
    await cp(copy.folder, `${target}.partial`, { recursive: true, verbatimSymlinks: true });
    await rename(`${target}.partial`, target);
    await writeAnswers(run, [stagedUpdatesAnswers(updates.map((path) => `${id}/${path}`))]);
    await runProgram("sync", ["-f", dataRoot], { signal });
    return { outputTail: `for the first start of Windows: ${updates.join(", ")}` };
  } finally {
    await copy.release();
  }
}
