import { describeDisk, espType, Ext4Reader, microsoftReservedType, readPartitionTable, refreshingType, runProgram, type DiskDescription, type Ext4Node, type Partition, type PartitionTable } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import { notStaged, readDiskFiles, type DiskFilesOptions } from "../disk-files.ts";
import { StagingError } from "../error.ts";

/** A staged disk that was never started, or one whose refresh was cut short: then nothing starts from it, and its files are of two media. */
export interface ShelfDisk {
  disk: DiskDescription;
  table: PartitionTable;
  esp: Partition;
  volume: Partition;
  begun: boolean;
  /** The media it holds; undefined where a refresh has begun. */
  mediaId: string | undefined;
  fileSystemUuid: string;
  freeBytes: number;
  freeInodes: number;
  /** Every file, folder and link of the data volume by path. */
  nodes: ReadonlyMap<string, Ext4Node>;
}

/**
 * Looks at a disk that is to be refreshed. Where a refresh was cut short, its file system is checked and mended first.
 * @throws StagingError PRESTAGE_STAGING_NOT_STAGED, PRESTAGE_STAGING_DISK_IN_USE, PRESTAGE_STAGING_SYSTEM_DISK, PRESTAGE_STAGING_NOT_REFRESHABLE
 */
export async function openShelfDisk(path: string, options: DiskFilesOptions): Promise<ShelfDisk> {
  const disk = await describeDisk(path, options);
  if (disk.runningSystem) throw new StagingError("PRESTAGE_STAGING_SYSTEM_DISK", `${disk.path} is the disk this system was started from. Name another disk.`);
  if (disk.inUse.length > 0) throw new StagingError("PRESTAGE_STAGING_DISK_IN_USE", `${disk.path} is in use: ${disk.inUse.join(", ")}. Unmount or detach it first.`);
  const table = await readPartitionTable(disk.path, options);
  const marked = table.partitions.find((partition) => partition.type === refreshingType);
  const esp = marked ?? table.partitions.find((partition) => partition.type === espType);
  if (esp === undefined) throw notStaged(disk.path, "no EFI system partition");
  if (table.partitions.some((partition) => partition.type === microsoftReservedType)) throw new StagingError("PRESTAGE_STAGING_NOT_REFRESHABLE", `Expected a disk staged from a Linux media; found a Windows one on ${disk.path}. Stage it anew: prestage stage MEDIA --disk ${path} --wipe ${disk.serial}`);
  const staged = marked === undefined ? await readDiskFiles(path, options) : undefined;
  const volume = staged?.volumePartition ?? (await volumeOf(disk, table, esp, options));
  if (staged === undefined || staged.needsRecovery) await mend(disk.path, volume, staged === undefined ? ["-f", "-y"] : ["-p"], options);
  const reader = await Ext4Reader.open(disk.path, volume);
  try {
    const nodes = new Map<string, Ext4Node>();
    for await (const node of reader.walk()) nodes.set(node.path, node);
    for (const node of nodes.values()) if (node.kind !== "directory" && node.path.startsWith(`${dataPaths.root}/state/`)) throw notStaged(disk.path, `one that has been started already (/${node.path})`);
    return { disk, table, esp, volume, begun: marked !== undefined, mediaId: staged?.mediaId, fileSystemUuid: reader.uuid, freeBytes: reader.freeBytes, freeInodes: reader.freeInodes, nodes };
  } finally {
    await reader.close();
  }
}

/** The data volume of a disk that is marked: an ext4 that holds our folder, or held it before a cut. */
async function volumeOf(disk: DiskDescription, table: PartitionTable, esp: Partition, options: DiskFilesOptions): Promise<Partition> {
  for (const volume of table.partitions.filter((partition) => partition !== esp)) {
    const reader = await Ext4Reader.open(disk.path, volume).catch(() => undefined); // another file system, or none
    if (reader === undefined) continue;
    await reader.close();
    await mend(disk.path, volume, ["-f", "-y"], options);
    const mended = await Ext4Reader.open(disk.path, volume);
    if (await mended.has(dataPaths.root).finally(() => void mended.close())) return volume;
  }
  throw notStaged(disk.path, `no data volume with /${dataPaths.root}`);
}

/**
 * e2fsck ends with 1 or 2 where it mended something, with 8 where a cut fell between the two sectors of the superblock: then its first copy,
 * which at an offset it does not look for by itself (block 32768 of 4 KiB each).
 */
async function mend(disk: string, volume: Partition, how: readonly string[], { signal }: DiskFilesOptions): Promise<void> {
  const place = `${disk}?offset=${volume.start}`;
  const { exitCode } = await runProgram("e2fsck", [...how, place], { accept: [0, 1, 2, 8], signal });
  if (exitCode === 8) await runProgram("e2fsck", ["-f", "-y", "-b", "32768", "-B", "4096", place], { accept: [0, 1, 2], signal });
}
