import { DiskError } from "./error.ts";

const mebibyte = 1 << 20;

/** A partition's place on the disk, in bytes. */
export interface Extent {
  start: number;
  size: number;
}

/** ext4 for Linux images, NTFS for Windows ones. */
export type DataFileSystem = "ext4" | "ntfs";

export interface PartitionPlan {
  esp: Extent;
  /** Microsoft's reserved partition; only beside NTFS. */
  reserved?: Extent;
  volume: Extent;
  dataFilesystem: DataFileSystem;
}

export interface PartitionPlanOptions {
  /** Size of the EFI system partition in MiB; 1,024 by default, at least 64 (FAT32 needs 65,525 clusters). */
  espMiB?: number;
  dataFilesystem?: DataFileSystem;
  /** Bytes the data volume must have at least. */
  volumeBytes?: number;
}

const reservedMiB = 16;

/** GPT with an EFI system partition, for Windows Microsoft's reserved one, and one data volume that takes the rest; all on whole MiB, the last one left to the second table. */
export function planPartitions(sizeBytes: number, options: PartitionPlanOptions = {}): PartitionPlan {
  const espMiB = options.espMiB ?? 1024;
  if (!Number.isInteger(espMiB) || espMiB < 64) throw new DiskError("PRESTAGE_DISK_TOO_SMALL", `The EFI system partition needs at least 64 MiB, found ${espMiB}.`);
  const esp = { start: mebibyte, size: espMiB * mebibyte };
  const dataFilesystem = options.dataFilesystem ?? "ext4";
  const reserved = dataFilesystem === "ntfs" ? { start: esp.start + esp.size, size: reservedMiB * mebibyte } : undefined;
  const start = esp.start + esp.size + (reserved?.size ?? 0);
  const size = Math.floor((sizeBytes - mebibyte) / mebibyte) * mebibyte - start;
  const needed = Math.max(options.volumeBytes ?? 0, 64 * mebibyte);
  if (size < needed) {
    const least = Math.ceil((start + needed) / mebibyte) + 1;
    throw new DiskError("PRESTAGE_DISK_TOO_SMALL", `Expected a disk of at least ${least} MiB, found ${Math.floor(sizeBytes / mebibyte)} MiB. Use a larger disk, or media with less content.`);
  }
  return { esp, ...(reserved && { reserved }), volume: { start, size }, dataFilesystem };
}
