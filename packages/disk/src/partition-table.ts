import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { biosMessageCode } from "./boot-code.ts";
import { DiskError } from "./error.ts";
import type { PartitionPlan, Extent } from "./partition-plan.ts";
import { runProgram } from "./run-program.ts";

/** GUIDs of one disk; never the same on two. */
export interface DiskGuids {
  disk: string;
  esp: string;
  volume: string;
}

export interface Partition extends Extent {
  number: number;
  /** Lower case, as the kernel compares it. */
  guid: string;
  type: string;
  name: string;
  /** The kernel's device for it; empty for an image file. */
  node: string;
}

export interface PartitionTable {
  guid: string;
  sectorSize: number;
  partitions: Partition[];
}

export const espType = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
export const linuxType = "0fc63daf-8483-4772-8e79-3d69d8477de4";
export const microsoftReservedType = "e3c9e316-0b5c-4db8-817d-f92df00215ae";
/** Prestage's own: an EFI system partition whose disk is being refreshed. No firmware starts from it. */
export const refreshingType = "5f0c1a4e-8d1b-4f5b-9a55-7072657374a6";
export const basicDataType = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";

/**
 * Writes a GPT and, in the protective MBR, the text a BIOS start shows. Leaves everything inside the partitions as it is,
 * so that it can come last: a disk whose staging was cut short then has no partition table and does not start.
 */
export async function writePartitionTable(disk: string, plan: PartitionPlan, guids: DiskGuids, options: { sectorSize?: number; signal?: AbortSignal | undefined } = {}): Promise<void> {
  const sector = options.sectorSize ?? 512;
  const line = (extent: Extent, type: string, name: string, guid: string): string => `start=${extent.start / sector}, size=${extent.size / sector}, type=${type}, name=${name}, uuid=${guid}`;
  const partitions = [line(plan.esp, espType, "ESP", guids.esp)];
  if (plan.reserved !== undefined) partitions.push(line(plan.reserved, microsoftReservedType, "MSR", randomUUID()));
  partitions.push(line(plan.volume, plan.dataFilesystem === "ntfs" ? basicDataType : linuxType, "Prestage", guids.volume));
  const script = ["label: gpt", `label-id: ${guids.disk}`, "unit: sectors", ...partitions, ""].join("\n");
  await runProgram("sfdisk", ["--quiet", "--wipe", "never", "--wipe-partitions", "never", "--no-reread", "--no-tell-kernel", disk], { input: script, signal: options.signal });
  const file = await open(disk, "r+");
  try {
    await file.write(biosMessageCode(), 0, 440, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes whatever partition table a disk has, by zeros over its first and last MiB. */
export async function clearPartitionTable(disk: string, sizeBytes: number): Promise<void> {
  const zeros = Buffer.alloc(1 << 20);
  const file = await open(disk, "r+");
  try {
    for (const at of [0, Math.max(0, sizeBytes - zeros.length)]) await file.write(zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
    await file.sync();
  } finally {
    await file.close();
  }
}

interface SfdiskJson {
  partitiontable?: { label?: string; id?: string; sectorsize?: number; partitions?: { node?: string; start?: number; size?: number; type?: string; uuid?: string; name?: string }[] };
}

/** Reads a disk's GPT, from a device or an image file. */
export async function readPartitionTable(disk: string, options: { signal?: AbortSignal | undefined } = {}): Promise<PartitionTable> {
  const { output } = await runProgram("sfdisk", ["--json", disk], { signal: options.signal }).catch((cause: unknown) => {
    options.signal?.throwIfAborted();
    throw new DiskError("PRESTAGE_DISK_BAD_TABLE", `Expected a partition table on ${disk}, found none that can be read. Stage the disk again.`, { cause });
  });
  const table = (JSON.parse(output) as SfdiskJson).partitiontable;
  if (table?.label !== "gpt") throw new DiskError("PRESTAGE_DISK_BAD_TABLE", `Expected a GPT on ${disk}, found ${table?.label ?? "nothing"}. Stage the disk again.`);
  const sector = table.sectorsize ?? 512;
  const partitions = (table.partitions ?? []).map((entry, index) => ({
    number: Number(/(\d+)$/.exec(entry.node ?? "")?.[1] ?? index + 1),
    start: (entry.start ?? 0) * sector,
    size: (entry.size ?? 0) * sector,
    type: (entry.type ?? "").toLowerCase(),
    guid: (entry.uuid ?? "").toLowerCase(),
    name: entry.name ?? "",
    node: entry.node ?? "",
  }));
  return { guid: (table.id ?? "").toLowerCase(), sectorSize: sector, partitions };
}
