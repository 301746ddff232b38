import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Receipt } from "@prestage/trust";
import { StagingError } from "./error.ts";
import { layOut } from "./lay-out.ts";
import { readMediaFiles } from "./media-files.ts";
import { planFor, type PlanOptions, type StagePlan } from "./plan-stage.ts";
import { encodeReceipt } from "./receipt.ts";
import { stageDisk, type DiskProgress } from "./stage-disk.ts";

export interface StageOptions extends PlanOptions {
  toolVersion: string;
  operator?: string;
  /** Folder for the media's files while disks are made; beside an image file, otherwise the system's temporary folder. */
  workFolder?: string;
  /** Where DISK.receipt.json is put; beside an image file by default, nowhere for a device. */
  receiptFolder?: string;
  onProgress?: (event: DiskProgress & { disk: string }) => void;
}

export type StageResult = { disk: string; outcome: "staged"; receipt: Receipt; receiptFile: string | undefined } | { disk: string; outcome: "failed"; error: Error };

/** Disks written at the same time: more only make each slower. */
const lanes = 4;

/**
 * Stages disks from one media, each by itself: one that fails does not stop the others, and is told in its result. What
 * concerns the media fails before any disk is touched.
 */
export async function stage(mediaPath: string, disks: readonly string[], options: StageOptions): Promise<StageResult[]> {
  if (process.getuid?.() !== 0) throw new StagingError("PRESTAGE_STAGING_NOT_ROOT", "Expected to run as root, so that the files on the disk belong to root. Run it by sudo.");
  const files = await readMediaFiles(mediaPath, options);
  const results = new Map<string, StageResult>();
  const plans: StagePlan[] = [];
  for (const disk of disks) {
    try {
      plans.push(await planFor(files, disk, options));
    } catch (error) {
      options.signal?.throwIfAborted();
      results.set(disk, failure(disk, error));
    }
  }
  const first = plans[0];
  if (first !== undefined) {
    const under = options.workFolder ?? (first.disk.kind === "file" ? dirname(first.disk.path) : tmpdir());
    const tell = (event: DiskProgress): void => {
      for (const plan of plans) options.onProgress?.({ disk: plan.disk.path, ...event });
    };
    const laid = await layOut(mediaPath, files, under, { signal: options.signal, onProgress: (percent) => tell({ phase: "lay-out", done: percent, total: 100 }) });
    try {
      const waiting = [...plans];
      const lane = async (): Promise<void> => {
        for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) results.set(plan.disk.path, await stageOne(plan, files, laid, options));
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    } finally {
      await laid.remove();
    }
  }
  options.signal?.throwIfAborted();
  return [...results.values()];
}

async function stageOne(plan: StagePlan, files: Parameters<typeof stageDisk>[1], laid: Parameters<typeof stageDisk>[2], options: StageOptions): Promise<StageResult> {
  const disk = plan.disk.path;
  try {
    const receipt = await stageDisk(plan, files, laid, { toolVersion: options.toolVersion, operator: options.operator, signal: options.signal, onProgress: (event) => options.onProgress?.({ disk, ...event }) });
    const folder = options.receiptFolder ?? (plan.disk.kind === "file" ? dirname(disk) : undefined);
    const receiptFile = folder === undefined ? undefined : join(folder, `${basename(disk)}.receipt.json`);
    if (receiptFile !== undefined) {
      await writeFile(`${receiptFile}.partial`, encodeReceipt(receipt));
      await rename(`${receiptFile}.partial`, receiptFile);
    }
    return { disk, outcome: "staged", receipt, receiptFile };
  } catch (error) {
    return failure(disk, error);
  }
}

function failure(disk: string, error: unknown): StageResult {
  return { disk, outcome: "failed", error: error instanceof Error ? error : new Error(String(error)) };
}
