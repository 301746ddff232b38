import { randomUUID } from "node:crypto";
import { DiskError } from "./error.ts";
import { Ext4Reader } from "./ext4-reader.ts";
import { writeGptGuids } from "./gpt.ts";
import type { Extent } from "./partition-plan.ts";
import { readPartitionTable } from "./partition-table.ts";
import type { PartitionTable } from "./partition-table.ts";
import { runProgram } from "./run-program.ts";

interface Options { signal?: AbortSignal | undefined }

/** What makes two disks that were copied from one another told apart: partition table, partitions and file system get identities of their own. */

/**
 * Gives an ext4 a new UUID, and mends it on the way. All metadata checksums depend on the UUID and are written anew; a
 * power cut in the midst of it leaves some of both kinds. Run again it writes them all anew without checking the old
 * ones: e2fsck must not come first, it takes inodes with a foreign checksum for garbage and clears them.
 */
export async function giveNewExt4Uuid(disk: string, extent: Extent, uuid: string, options: Options = {}): Promise<void> {
  const reader = await Ext4Reader.open(disk, extent);
  await reader.close();
  // A journal to replay is left by a system that had it mounted, never by a cut in here: then checking first is right.
  if (reader.needsRecovery) await check(disk, extent, "-p", options);
  await runProgram("tune2fs", ["-f", "-U", uuid, at(disk, extent)], { input: "y\n", signal: options.signal });
  await check(disk, extent, "-y", options);
  await check(disk, extent, "-n", options);
}

async function check(disk: string, extent: Extent, mode: "-p" | "-y" | "-n", options: Options): Promise<void> {
  const { exitCode, output } = await runProgram("e2fsck", ["-f", mode, at(disk, extent)], { accept: [0, 1, 2, 4, 8, 12], signal: options.signal });
  if (exitCode > (mode === "-n" ? 0 : 2)) throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `The data volume of ${disk} could not be repaired (e2fsck ${mode}: ${exitCode}): ${output.trim().slice(-300)}. Copy or stage the disk again.`);
}

/** New GUIDs for a table as it was read: for the disk and for every partition. Nothing is written. */
export function newGuids(table: PartitionTable): PartitionTable {
  return { ...table, guid: randomUUID(), partitions: table.partitions.map((partition) => ({ ...partition, guid: randomUUID() })) };
}

/** Writes the GUIDs of `renewed` into the disk's GPT, and reads it back. A power cut leaves the old table or the new one. */
export async function renewTableGuids(disk: string, sizeBytes: number, renewed: PartitionTable, options: Options = {}): Promise<void> {
  await writeGptGuids(disk, sizeBytes, renewed.sectorSize, { disk: renewed.guid, partitions: new Map(renewed.partitions.map((partition) => [partition.number, partition.guid])) });
  const found = await readPartitionTable(disk, options);
  const same = found.guid === renewed.guid && JSON.stringify(found.partitions.map(essence)) === JSON.stringify(renewed.partitions.map(essence));
  if (!same) throw new DiskError("PRESTAGE_DISK_BAD_TABLE", `The partition table read back from ${disk} is not the one that was written. Replace the disk.`);
}

function essence({ start, size, guid, type }: PartitionTable["partitions"][number]) {
  return { start, size, guid, type };
}

function at(disk: string, extent: Extent): string {
  return extent.start === 0 ? disk : `${disk}?offset=${extent.start}`;
}
