import { existsSync } from "node:fs";
import { basename } from "node:path";
import { describeDisk, planPartitions, type DataFileSystem, type DiskDescription, type PartitionPlan } from "@prestage/disk";
import { StagingError } from "./error.ts";
import { readMediaFiles, type MediaFiles } from "./media-files.ts";

export interface PlanOptions {
  /** Serial numbers (file names of image files and loop devices) of disks that may be overwritten. */
  wipe?: readonly string[];
  /** Size in bytes of an image file that does not exist yet. */
  createSizeBytes?: number;
  /** Size of the EFI system partition, 1,024 by default. */
  espMiB?: number;
  /** Of the data volume; by default what the media's OS image asks for: NTFS for Windows. */
  dataFileSystem?: DataFileSystem;
  /** The site's keyring, where it is known: the media must be signed under it. */
  trustedKeyring?: Uint8Array;
  signal?: AbortSignal;
}

/** What staging would do to a disk; nothing was changed. */
export interface StagePlan {
  disk: DiskDescription;
  /** The image file does not exist yet and will be made. */
  create: boolean;
  /** What is on the disk and will be lost. */
  wipes: string[];
  partitions: PartitionPlan;
  mediaId: string;
  files: number;
  bytes: number;
}

const mebibyte = 1 << 20;

/** Reads the media and the disk and plans; refuses what staging would refuse. */
export async function planStage(mediaPath: string, disk: string, options: PlanOptions = {}): Promise<StagePlan> {
  return planFor(await readMediaFiles(mediaPath, options), disk, options);
}

export async function planFor(files: MediaFiles, disk: string, options: PlanOptions): Promise<StagePlan> {
  const create = options.createSizeBytes !== undefined && !existsSync(disk);
  const description = create
    ? ({ path: disk, kind: "file", serial: basename(disk), model: "", sizeBytes: options.createSizeBytes ?? 0, sectorSize: 512, inUse: [], runningSystem: false, content: [] } satisfies DiskDescription)
    : await describeDisk(disk, { signal: options.signal });
  refuseUnsafe(description, options.wipe ?? []);
  const espMiB = options.espMiB ?? 1024;
  const partitions = planPartitions(description.sizeBytes, { espMiB, volumeBytes: neededVolumeBytes(files), dataFilesystem: options.dataFileSystem ?? (files.windows ? "ntfs" : "ext4") });
  if (files.espBytes * 1.05 > partitions.esp.size) throw new StagingError("PRESTAGE_STAGING_NO_SPACE", `The boot files have ${Math.ceil(files.espBytes / mebibyte)} MiB, more than the EFI system partition of ${espMiB} MiB holds. Choose a larger one.`);
  return { disk: description, create, wipes: description.content, partitions, mediaId: files.media.mediaId, files: files.esp.size + files.data.size, bytes: files.espBytes + files.dataBytes };
}

/** The media's files, the system that will be installed beside them, and what the file system takes for itself. */
function neededVolumeBytes(files: MediaFiles): number {
  return Math.ceil((files.dataBytes + files.osBytes * 1.1) * 1.04) + 192 * mebibyte;
}

/** A disk that is in use is refused whatever was asked for; one with content only unless it was named. */
function refuseUnsafe(disk: DiskDescription, wipe: readonly string[]): void {
  if (disk.runningSystem) throw new StagingError("PRESTAGE_STAGING_SYSTEM_DISK", `${disk.path} is the disk this system was started from; it is never staged. Name another disk.`);
  if (disk.inUse.length > 0) throw new StagingError("PRESTAGE_STAGING_DISK_IN_USE", `${disk.path} is in use: ${disk.inUse.join(", ")}. Unmount or detach it first.`);
  if (disk.content.length === 0 || (disk.serial !== "" && wipe.includes(disk.serial))) return;
  const name = disk.kind === "device" ? "its serial number" : "its file name";
  throw new StagingError("PRESTAGE_STAGING_NOT_EMPTY", `${disk.path} is not empty (${disk.content.join(", ")}). To overwrite it, give ${name}: --wipe ${disk.serial === "" ? "(this disk tells none; erase it with wipefs first)" : disk.serial}`);
}
