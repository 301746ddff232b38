import { tmpdir } from "node:os";
import { dirname } from "node:path";
import type { Receipt } from "@prestage/trust";
import { StagingError } from "./error.ts";
import { inLanes } from "./lanes.ts";
import { layOut } from "./lay-out.ts";
import { readMediaFiles } from "./media-files.ts";
import { planFor, type PlanOptions, type StagePlan } from "./plan-stage.ts";
import { writeReceiptFiles, type ReceiptPlace } from "./receipt-files.ts";
import type { ReceiptOptions } from "./receipt.ts";
import { stageDisk, type DiskProgress } from "./stage-disk.ts";

export interface StageOptions extends PlanOptions, ReceiptPlace, ReceiptOptions {
  /** The disks will be duplicated: claim and receipt are left out. */
  golden?: boolean;
  /** Folder for the media's files while disks are made; beside an image file, otherwise the system's temporary folder. */
  workFolder?: string;
  onProgress?: (event: DiskProgress & { disk: string }) => void;
}

export type StageResult =
  | { disk: string; outcome: "staged"; receipt: Receipt; receiptFile: string | undefined }
  | { disk: string; outcome: "golden"; verified: number }
  | { disk: string; outcome: "failed"; error: Error };

/**
 * Stages disks from one media, each by itself: one that fails does not stop the others, and is told in its result. What
 * concerns the media fails before any disk is touched. Results come in the order of the disks.
 */
export async function stage(mediaPath: string, disks: readonly string[], options: StageOptions): Promise<StageResult[]> {
  if (process.getuid?.() !== 0) throw new StagingError("PRESTAGE_STAGING_NOT_ROOT", "Expected to run as root, so that the files on the disk belong to root. Run it by sudo.");
  if (disks.length > 1 && (options.receiptFile !== undefined || options.machineSerial !== undefined)) throw new TypeError("One receipt file or one computer's serial number cannot stand for several disks.");
  const files = await readMediaFiles(mediaPath, options);
  const results = new Map<string, StageResult>();
  const planned: { disk: string; plan: StagePlan }[] = [];
  for (const disk of disks) {
    try {
      planned.push({ disk, plan: await planFor(files, disk, options) });
    } catch (error) {
      options.signal?.throwIfAborted();
      results.set(disk, failure(disk, error));
    }
  }
  const first = planned[0]?.plan;
  if (first !== undefined) {
    const under = options.workFolder ?? (first.disk.kind === "file" ? dirname(first.disk.path) : tmpdir());
    const tell = (event: DiskProgress): void => {
      for (const { disk } of planned) options.onProgress?.({ disk, ...event });
    };
    const laid = await layOut(mediaPath, files, under, { signal: options.signal, onProgress: (percent) => tell({ phase: "lay-out", done: percent, total: 100 }) });
    try {
      await inLanes(planned, async ({ disk, plan }) => void results.set(disk, await stageOne(mediaPath, disk, plan, files, laid, options)));
    } finally {
      await laid.remove();
    }
  }
  options.signal?.throwIfAborted();
  return disks.map((disk) => results.get(disk)).filter((result) => result !== undefined);
}

async function stageOne(mediaPath: string, disk: string, plan: StagePlan, files: Parameters<typeof stageDisk>[1], laid: Parameters<typeof stageDisk>[2], options: StageOptions): Promise<StageResult> {
  try {
    const { toolVersion, operator, machineSerial, depot, golden, signal } = options;
    const { made, verified } = await stageDisk(plan, files, laid, { mediaPath, toolVersion, operator, machineSerial, depot, golden, signal, onProgress: (event) => options.onProgress?.({ disk, ...event }) });
    if (made === undefined) return { disk, outcome: "golden", verified };
    return { disk, outcome: "staged", receipt: made.receipt, receiptFile: await writeReceiptFiles(plan.disk, made, options) };
  } catch (error) {
    return failure(disk, error);
  }
}

function failure(disk: string, error: unknown): StageResult {
  return { disk, outcome: "failed", error: error instanceof Error ? error : new Error(String(error)) };
}
