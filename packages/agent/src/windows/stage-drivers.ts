import { cp, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { stagedDrivers, stagedDriversAnswers } from "@prestage/sequence";
import { runProgram } from "@prestage/disk";
import { computerModel, isForModel } from "../steps/install-drivers.ts";
import type { StepResult, StepRun } from "../steps/step-executor.ts";
import { requireWindows, writeAnswers } from "./write-answers.ts";

/**
 * Lays driver packages onto a Windows that has not started yet, and has Windows Setup add them: each one whole or not at all. Those for other models are left out.
 * @throws AgentError PRESTAGE_AGENT_NOT_WINDOWS
 */
export async function stageDriversForWindows(run: StepRun, ids: readonly string[]): Promise<StepResult> {
  const { content, dataRoot, signal } = run.context;
  await requireWindows(dataRoot);
  const model = await computerModel();
  const laid: string[] = [];
  for (const id of new Set(ids)) {
    const copy = await content.checkOut(id);
    try {
      const models = copy.content.definition.kind === "driver-package" ? copy.content.definition.models : [];
      if (!isForModel(model, models)) {
        run.output(`${copy.content.name} is for ${models.join(", ")}; this computer is ${JSON.stringify(model)}`);
        continue;
      }
      const target = join(dataRoot, stagedDrivers, id);
      await mkdir(join(dataRoot, stagedDrivers), { recursive: true });
      for (const path of [`${target}.partial`, target]) await rm(path, { recursive: true, force: true });
      await cp(copy.folder, `${target}.partial`, { recursive: true, verbatimSymlinks: true });
      await rename(`${target}.partial`, target);
      laid.push(copy.content.name);
    } finally {
      await copy.release();
    }
  }
  if (laid.length > 0) await writeAnswers(run, [stagedDriversAnswers]);
  await runProgram("sync", ["-f", dataRoot], { signal });
  return { outputTail: laid.length === 0 ? "Nothing was laid: no driver package is for this computer." : `for the first start of Windows: ${laid.join(", ")}` };
}
