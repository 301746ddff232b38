import { randomUUID } from "node:crypto";
import { Ext4Reader, giveNewExt4Uuid, newGuids, removeExt4Files, renewTableGuids, runProgram, settleDisk, type PartitionTable } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import { canonicalJson, receiptFiles, type Receipt } from "@prestage/trust";
import { checkReceiptLeft, leaveReceipt, ownPaths, readReceiptLeft } from "./disk-receipt.ts";
import { notStaged, readDiskFiles, type DiskFiles, type DiskFilesOptions } from "./disk-files.ts";
import { StagingError } from "./error.ts";
import { inLanes } from "./lanes.ts";
import { writeReceiptFiles, type ReceiptPlace } from "./receipt-files.ts";
import { makeReceipt, type ReceiptOptions } from "./receipt.ts";
import { readBackDisk } from "./verify-disk.ts";

export interface RenewOptions extends DiskFilesOptions, ReceiptOptions, ReceiptPlace {
  onProgress?: (event: { disk: string; phase: "identity" | "verify" | "receipt"; done: number; total: number; name?: string }) => void;
}

export type RenewResult = { disk: string; outcome: "made" | "present"; receipt: Receipt; receiptFile: string | undefined } | { disk: string; outcome: "failed"; error: Error };

/** Gives copies of a golden disk what each needs of its own; one that fails does not stop the others. */
export async function renewDisks(disks: readonly string[], options: RenewOptions): Promise<RenewResult[]> {
  if (process.getuid?.() !== 0) throw new StagingError("PRESTAGE_STAGING_NOT_ROOT", "Expected to run as root, so that the files on the disk belong to root. Run it by sudo.");
  const results = new Map<string, RenewResult>();
  await inLanes(disks, async (disk) => {
    results.set(disk, await renewDisk(disk, options).catch((error: unknown): RenewResult => ({ disk, outcome: "failed", error: error instanceof Error ? error : new Error(String(error)) })));
  });
  options.signal?.throwIfAborted();
  return disks.map((disk) => results.get(disk)).filter((result) => result !== undefined);
}

/**
 * Verifies a duplicated disk against its own manifest and gives it identities, a claim and a receipt of its own. The
 * receipt speaks of the new identities before the partition table has them: until then it fits no disk, so whatever a
 * power cut leaves is found unfinished and done anew. A disk that has a receipt of its own keeps it.
 */
export async function renewDisk(path: string, options: RenewOptions): Promise<RenewResult> {
  const { signal } = options;
  const tell = (phase: "identity" | "verify" | "receipt", done: number, total: number, name?: string): void => options.onProgress?.({ disk: path, phase, done, total, ...(name === undefined ? {} : { name }) });
  let found = await readDiskFiles(path, options);
  refuseUnfit(found);
  const { disk, volumePartition: volume } = found;
  const verify = () => readBackDisk(found, (name) => ownPaths.includes(name) || name.startsWith(`${dataPaths.root}/log/`), { signal, onProgress: (event) => tell("verify", event.done, event.total, event.name) });
  const present = await presentReceipt(found, options);
  if (present !== undefined && canonicalJson(receiptFiles(await verify())).equals(canonicalJson(present.receipt.files))) {
    return { disk: path, outcome: "present", receipt: present.receipt, receiptFile: await writeReceiptFiles(disk, present, options) };
  }
  await refuseStarted(found);
  tell("identity", 0, 1);
  const guids = newGuids(found.table);
  await giveNewExt4Uuid(disk.path, volume, randomUUID(), { signal });
  await removeRecovered(disk.path, volume, signal);
  await settleDisk(disk.path, { signal });
  tell("identity", 1, 1);
  found = await readDiskFiles(path, options);
  const files = await verify();
  tell("receipt", 0, 1);
  const made = makeReceipt({ mediaId: found.mediaId, disk, guids: { ...guidsOf(guids, found), fileSystem: found.fileSystemUuid }, files }, options);
  await leaveReceipt(disk.path, volume, made, files, { signal });
  await settleDisk(disk.path, { signal });
  await checkReceiptLeft(disk.path, volume, made);
  await renewTableGuids(disk.path, disk.sizeBytes, guids, { signal });
  await settleDisk(disk.path, { signal });
  if (disk.kind !== "file") await runProgram("blockdev", ["--rereadpt", disk.path], { accept: [0, 1] }).catch(() => undefined); // a convenience: partition nodes for whoever looks next
  tell("receipt", 1, 1);
  return { disk: path, outcome: "made", receipt: made.receipt, receiptFile: await writeReceiptFiles(disk, made, options) };
}

function refuseUnfit({ disk }: DiskFiles): void {
  if (disk.runningSystem) throw new StagingError("PRESTAGE_STAGING_SYSTEM_DISK", `${disk.path} is the disk this system was started from. Name another disk.`);
  if (disk.inUse.length > 0) throw new StagingError("PRESTAGE_STAGING_DISK_IN_USE", `${disk.path} is in use: ${disk.inUse.join(", ")}. Unmount or detach it first.`);
}

/** A disk that has met its site holds a device's keys: copies of it would be one device. */
async function refuseStarted(found: DiskFiles): Promise<void> {
  const state = `${dataPaths.root}/state/`;
  const reader = await Ext4Reader.open(found.disk.path, found.volumePartition);
  try {
    for await (const node of reader.walk()) {
      if (node.kind !== "directory" && node.path.startsWith(state)) throw notStaged(found.disk.path, `one that has been started already (/${node.path})`);
    }
  } finally {
    await reader.close();
  }
}

/** The receipt on the disk where it is of this disk, whole, and signed if one could be signed now. */
async function presentReceipt(found: DiskFiles, options: RenewOptions) {
  const left = await readReceiptLeft(found.disk.path, found.volumePartition).catch(() => undefined); // half-written by a cut: made anew
  if (left === undefined || !left.claimFits) return undefined;
  const { receipt } = left;
  const guids = guidsOf(found.table, found);
  const own = receipt.diskGuid === guids.disk && receipt.espPartitionGuid === guids.esp && receipt.volumePartitionGuid === guids.volume && receipt.volumeFileSystemUuid === found.fileSystemUuid;
  const same = receipt.mediaId === found.mediaId && receipt.diskSerial === (found.disk.serial === "" ? null : found.disk.serial) && receipt.diskSizeBytes === found.disk.sizeBytes;
  if (!own || !same || (receipt.depot === null && options.depot !== undefined)) return undefined;
  return { receipt, bytes: left.bytes };
}

function guidsOf(table: PartitionTable, found: DiskFiles): { disk: string; esp: string; volume: string } {
  const guidOf = (number: number): string => table.partitions.find((partition) => partition.number === number)?.guid ?? "";
  return { disk: table.guid, esp: guidOf(found.espPartition.number), volume: guidOf(found.volumePartition.number) };
}

/** What e2fsck put aside after a cut while claim or receipt were written: nothing of the media's, and it may hold a claim key. */
async function removeRecovered(disk: string, volume: DiskFiles["volumePartition"], signal: AbortSignal | undefined): Promise<void> {
  const reader = await Ext4Reader.open(disk, volume);
  const names: string[] = [];
  try {
    for await (const node of reader.walk()) if (node.kind === "file" && node.path.startsWith("lost+found/")) names.push(node.path);
  } finally {
    await reader.close();
  }
  await removeExt4Files(disk, volume, names, { signal });
}
