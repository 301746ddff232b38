import { applyDriverPackageStep } from "@prestage/sequence";
import { cp, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import { AgentError } from "../error.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";
import type { StepRun } from "./step-executor.ts";

/**
 * Copies a driver package's firmware/ and modules/<kernel version or any>/ into the running Debian and rebuilds its initramfs.
 * A package for other models changes nothing.
 */
export const step = defineStep(applyDriverPackageStep, async (run, { driverPackage }) => {
  const { content, signal } = run.context;
  const copy = await content.checkOut(driverPackage);
  const { content: found, folder } = copy;
  try {
    const models = found.definition.kind === "driver-package" ? found.definition.models : [];
    const model = (await readFile("/sys/class/dmi/id/product_name", "utf8").catch(() => "")).trim();
    if (!isForModel(model, models)) return { outputTail: `Nothing was changed: ${found.name} is for ${models.join(", ")}; this computer is ${JSON.stringify(model)}.` };
    const version = kernelRelease();
    const copied = (await copyTree(run, join(folder, "firmware"), "/lib/firmware")) + (await copyTree(run, join(folder, "modules", version), `/lib/modules/${version}/updates`)) + (await copyTree(run, join(folder, "modules/any"), `/lib/modules/${version}/updates`));
    if (copied === 0) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected firmware/ or modules/ for kernel ${version} in ${found.name}; found neither.`, "Import the driver package with those folders.");
    const result = await runShell(`depmod -a && { ! command -v update-initramfs >/dev/null || update-initramfs -u; } && sync`, { cwd: "/", signal, onLine: run.output });
    const { restartAsked: _, ...outcome } = shellStepResult(result, "rebuilding the initramfs", [0]);
    return outcome;
  } finally {
    await copy.release();
  }
});

/** No model named: any. Compared without case; `*` matches anything. */
export function isForModel(model: string, models: readonly string[]): boolean {
  return models.length === 0 || models.some((pattern) => new RegExp(`^${pattern.split(/\*+/).map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&")).join(".*")}$`, "is").test(model));
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
