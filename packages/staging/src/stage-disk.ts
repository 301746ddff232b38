import { randomBytes, randomUUID } from "node:crypto";
import { open, rm, truncate } from "node:fs/promises";
import { clearPartitionTable, layFatTree, makeExt4, makeFat, microsoftReservedType, readPartitionTable, runProgram, settleDisk, writePartitionTable } from "@prestage/disk";
import { StagingError } from "./error.ts";
import type { LaidOut } from "./lay-out.ts";
import type { MediaFiles } from "./media-files.ts";
import type { StagePlan } from "./plan-stage.ts";
import { layNtfs, leaveReceiptOnNtfs } from "./ntfs-disk.ts";
import { readBack } from "./read-back.ts";
import { checkReceiptLeft, leaveReceipt, makeRoom } from "./disk-receipt.ts";
import { makeReceipt, type MadeReceipt, type ReceiptOptions } from "./receipt.ts";

export type StagePhase = "lay-out" | "write" | "verify" | "receipt";

export interface DiskProgress {
  phase: StagePhase;
  done: number;
  total: number;
  name?: string;
}

export interface StageDiskOptions extends ReceiptOptions {
  mediaPath: string;
  /** The disk will be duplicated: claim and receipt are left out, with room for them; each copy gets its own by `renewDisk`. */
  golden?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress: (event: DiskProgress) => void;
}

/** `made` is undefined for a golden disk. */
export interface StagedDisk {
  verified: number;
  made: MadeReceipt | undefined;
}

/**
 * Makes a bare disk a staged one. The partition table comes last, after everything was read back: until then the disk
 * has none, so that one whose staging was cut short does not start half-made.
 */
export async function stageDisk(plan: StagePlan, files: MediaFiles, laid: LaidOut, options: StageDiskOptions): Promise<StagedDisk> {
  const { disk, partitions } = plan;
  const { signal } = options;
  const ntfs = partitions.dataFilesystem === "ntfs";
  if (ntfs && options.golden === true) throw new StagingError("PRESTAGE_STAGING_WRONG_PARTITIONS", "Expected a Linux media for a golden disk: duplicates of an NTFS volume can't be given their own receipt yet. Stage each disk by itself.");
  const guids: { disk: string; esp: string; volume: string; fileSystem: string } = { disk: randomUUID(), esp: randomUUID(), volume: randomUUID(), fileSystem: randomUUID() };
  if (plan.create) {
    await (await open(disk.path, "wx", 0o600)).close();
    await truncate(disk.path, disk.sizeBytes);
  }
  try {
    options.onProgress({ phase: "write", done: 0, total: 3 });
    await clearPartitionTable(disk.path, disk.sizeBytes);
    await makeFat(disk.path, partitions.esp, { volumeId: randomBytes(4).toString("hex"), sectorSize: disk.sectorSize, signal });
    await layFatTree(disk.path, partitions.esp, laid.esp, { signal });
    options.onProgress({ phase: "write", done: 1, total: 3 });
    if (ntfs) guids.fileSystem = await layNtfs(disk.path, partitions.volume, options.mediaPath, { signal });
    else await makeExt4(disk.path, partitions.volume, { uuid: guids.fileSystem, populate: laid.data, signal });
    options.onProgress({ phase: "write", done: 2, total: 3 });
    await settleDisk(disk.path, { signal });
    options.onProgress({ phase: "write", done: 3, total: 3 });
    let done = 0;
    const total = files.espBytes + files.dataBytes;
    const verified = await readBack(files, { device: disk.path, extent: partitions.esp }, { device: disk.path, extent: partitions.volume }, { signal, dataFileSystem: partitions.dataFilesystem, onProgress: (bytes, name) => options.onProgress({ phase: "verify", done: (done += bytes), total, name }) });
    options.onProgress({ phase: "receipt", done: 0, total: 1 });
    const made = options.golden === true ? undefined : makeReceipt({ mediaId: plan.mediaId, disk, guids, files: verified }, options);
    if (made === undefined) await makeRoom(disk.path, partitions.volume, verified, { signal });
    else if (ntfs) await leaveReceiptOnNtfs(disk.path, partitions.volume, made, { signal });
    else await leaveReceipt(disk.path, partitions.volume, made, verified, { signal });
    await writePartitionTable(disk.path, partitions, guids, { sectorSize: disk.sectorSize, signal });
    await settleDisk(disk.path, { signal });
    await checkTable(plan, guids);
    if (made !== undefined && !ntfs) await checkReceiptLeft(disk.path, partitions.volume, made);
    if (disk.kind !== "file") await runProgram("blockdev", ["--rereadpt", disk.path], { accept: [0, 1] }).catch(() => undefined); // a convenience: partition nodes for whoever looks next
    options.onProgress({ phase: "receipt", done: 1, total: 1 });
    return { verified: verified.length, made };
  } catch (error) {
    if (plan.create) await rm(disk.path, { force: true });
    else await clearPartitionTable(disk.path, disk.sizeBytes).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

/** Reads back what came after the great comparison: the partition table. */
async function checkTable(plan: StagePlan, guids: { disk: string; esp: string; volume: string }): Promise<void> {
  const table = await readPartitionTable(plan.disk.path);
  const places = table.partitions.filter(({ type }) => type !== microsoftReservedType).map(({ start, size, guid }) => JSON.stringify([start, size, guid]));
  const expected = ([[plan.partitions.esp, guids.esp], [plan.partitions.volume, guids.volume]] as const).map(([extent, guid]) => JSON.stringify([extent.start, extent.size, guid]));
  if (table.guid === guids.disk && places.join() === expected.join()) return;
  throw new StagingError("PRESTAGE_STAGING_READ_BACK_FAILED", `The partition table read back from ${plan.disk.path} is not the one that was written. Replace the disk.`);
}
