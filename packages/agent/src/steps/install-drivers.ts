import { cp, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import { isLikeModel } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

/** Where a driver package has what the running kernel may load. */
export function moduleFolders(folder: string): string[] {
  return [join(folder, "modules", kernelRelease()), join(folder, "modules/any")];
}

/** Copies driver packages' firmware/ and modules/<kernel version or any>/ into the running Debian. Throws where one has neither. */
export async function copyDrivers(run: StepRun, name: string, folder: string): Promise<void> {
  const { dataRoot } = run.context;
  const version = kernelRelease();
  let copied = await copyTree(run, join(folder, "firmware"), join(dataRoot, "lib/firmware"));
  for (const modules of moduleFolders(folder)) copied += await copyTree(run, modules, join(dataRoot, "lib/modules", version, "updates"));
  if (copied === 0) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected firmware/ or modules/ for kernel ${version} in ${name}; found neither.`, "Import the driver package with those folders.");
}

/** Makes the kernel's tools know what was copied. */
export async function rebuildInitramfs(run: StepRun): Promise<StepResult> {
  const { dataRoot, signal } = run.context;
  const command = dataRoot === "/" ? "depmod -a && { ! command -v update-initramfs >/dev/null || update-initramfs -u; } && sync" : `depmod -b '${dataRoot.replaceAll("'", "'\\''")}' ${kernelRelease()} && sync`;
  const { restartAsked: _, ...outcome } = shellStepResult(await runShell(command, { cwd: "/", signal, onLine: run.output }), "rebuilding the initramfs", [0]);
  return outcome;
}

/** This computer's model, as its firmware says it. */
export async function computerModel(): Promise<string> {
  return (await readFile("/sys/class/dmi/id/product_name", "utf8").catch(() => "")).trim();
}

/** No model named: any. Compared without case; `*` matches anything. */
export function isForModel(model: string, models: readonly string[]): boolean {
  return models.length === 0 || models.some((pattern) => isLikeModel(model, pattern));
}

/** Copies a folder's files and returns how many; a folder that is not there has none. */
async function copyTree(run: StepRun, source: string, target: string): Promise<number> {
  if (!(await stat(source).then((status) => status.isDirectory(), () => false))) return 0;
  await mkdir(target, { recursive: true });
  await cp(source, target, { recursive: true, force: true, verbatimSymlinks: true });
  const files = (await readdir(source, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory());
  run.output(`${files.length} files copied to ${target}`);
  return files.length;
}
