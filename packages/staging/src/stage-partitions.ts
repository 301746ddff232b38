import { mkdtemp, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeDisk, Ext4Reader, layFatTree, listFatRoot, readPartitionTable, runProgram, settleDisk, type Partition } from "@prestage/disk";
import type { Receipt } from "@prestage/trust";
import { StagingError } from "./error.ts";
import { applyImages } from "./lay-out.ts";
import { readMediaFiles } from "./media-files.ts";
import { readBack } from "./read-back.ts";
import { checkReceiptLeft, leaveReceipt } from "./disk-receipt.ts";
import { writeReceiptFiles } from "./receipt-files.ts";
import { makeReceipt } from "./receipt.ts";
import type { StageOptions } from "./stage.ts";

/**
 * Stages onto two partitions of one disk that are already formatted and empty (FAT32 and ext4), keeping partition table
 * and file systems as they are.
 */
export async function stagePartitions(mediaPath: string, esp: string, volume: string, options: StageOptions): Promise<{ receipt: Receipt; receiptFile: string | undefined }> {
  if (process.getuid?.() !== 0) throw new StagingError("PRESTAGE_STAGING_NOT_ROOT", "Expected to run as root, so that partitions can be mounted. Run it by sudo.");
  const { signal } = options;
  const disk = await diskOf(esp, volume, signal);
  const table = await readPartitionTable(disk, { signal });
  const [espPartition, volumePartition] = [partitionOf(table.partitions, esp), partitionOf(table.partitions, volume)];
  for (const [path, type] of [[esp, "vfat"], [volume, "ext4"]] as const) {
    const found = (await runProgram("blkid", ["-p", "-s", "TYPE", "-o", "value", path], { accept: [0, 2], signal })).output.trim();
    if (found !== type) throw wrong(`Expected ${path} to be formatted as ${type}, found ${found === "" ? "no file system" : found}. Format it first.`);
  }
  const files = await readMediaFiles(mediaPath, options);
  const tell = (phase: "lay-out" | "verify" | "receipt", done: number, total: number, name?: string): void => options.onProgress?.({ disk, phase, done, total, ...(name === undefined ? {} : { name }) });
  const [espPlace, volumePlace] = [{ start: 0, size: espPartition.size }, { start: 0, size: volumePartition.size }];
  refuseContent(esp, await listFatRoot(esp, espPlace, { signal }));
  const espTree = await mkdtemp(join(tmpdir(), "prestage-esp-"));
  try {
    await mounted(volume, async (at) => {
      refuseContent(volume, await readdir(at));
      await applyImages(mediaPath, espTree, at, { signal, onProgress: (percent) => tell("lay-out", percent, 100) });
    });
    await layFatTree(esp, espPlace, espTree, { signal });
  } finally {
    await rm(espTree, { recursive: true, force: true });
  }
  for (const path of [esp, volume]) await settleDisk(path, { signal });
  let done = 0;
  const total = files.espBytes + files.dataBytes;
  const verified = await readBack(files, { device: esp, extent: espPlace }, { device: volume, extent: volumePlace }, { signal, onProgress: (bytes, name) => tell("verify", (done += bytes), total, name) });
  const description = await describeDisk(disk, { signal });
  const guids = { disk: table.guid, esp: espPartition.guid, volume: volumePartition.guid, fileSystem: await fileSystemUuid(volume, volumePlace) };
  const made = makeReceipt({ mediaId: files.media.mediaId, disk: description, guids, files: verified }, options);
  await leaveReceipt(volume, volumePlace, made, verified, { signal });
  await settleDisk(volume, { signal });
  await checkReceiptLeft(volume, volumePlace, made);
  tell("receipt", 1, 1);
  return { receipt: made.receipt, receiptFile: await writeReceiptFiles(description, made, options) };
}

async function fileSystemUuid(device: string, place: { start: number; size: number }): Promise<string> {
  const reader = await Ext4Reader.open(device, place);
  await reader.close();
  return reader.uuid;
}

/** The one disk both partitions are on. */
async function diskOf(esp: string, volume: string, signal: AbortSignal | undefined): Promise<string> {
  const parents: string[] = [];
  for (const path of [esp, volume]) {
    const { output } = await runProgram("lsblk", ["--nodeps", "--noheadings", "--output", "PKNAME,TYPE,MOUNTPOINTS", path], { signal });
    const [parent = "", type = "", ...mounts] = output.trim().split(/\s+/);
    if (type !== "part") throw wrong(`Expected a partition at ${path}, found ${type === "" ? "something else" : `a ${type}`}.`);
    if (mounts.length > 0) throw new StagingError("PRESTAGE_STAGING_DISK_IN_USE", `${path} is mounted at ${mounts.join(", ")}. Unmount it first.`);
    parents.push(`/dev/${parent}`);
  }
  if (esp === volume || parents[0] !== parents[1] || parents[0] === undefined) throw wrong(`Expected two partitions of one disk, found ${esp} on ${parents[0] ?? "none"} and ${volume} on ${parents[1] ?? "none"}.`);
  return parents[0];
}

function partitionOf(partitions: readonly Partition[], path: string): Partition {
  const number = Number(/(\d+)$/.exec(path)?.[1] ?? "0");
  const found = partitions.find((partition) => partition.number === number);
  if (found === undefined) throw wrong(`Expected ${path} in the partition table of its disk, found none with its number.`);
  return found;
}

function refuseContent(path: string, names: readonly string[]): void {
  const content = names.filter((name) => name !== "lost+found");
  if (content.length > 0) throw wrong(`Expected ${path} to be empty, found ${content.slice(0, 5).join(", ")}. Format it anew or stage the whole disk with --wipe.`);
}

/** Mounts a partition for as long as something is done with it. */
async function mounted(device: string, work: (place: string) => Promise<void>): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), "prestage-mount-"));
  try {
    await runProgram("mount", ["-o", "nosuid,nodev,noexec", device, place]);
    try {
      await work(place);
      await runProgram("sync", ["-f", place]);
    } finally {
      await runProgram("umount", [place]);
    }
  } finally {
    await rmdir(place);
  }
}

function wrong(message: string): StagingError {
  return new StagingError("PRESTAGE_STAGING_WRONG_PARTITIONS", message);
}
