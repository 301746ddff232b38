import { DiskError } from "./error.ts";

const mebibyte = 1 << 20;

/** A partition's place on the disk, in bytes. */
export interface Extent {
  start: number;
  size: number;
}

export interface PartitionPlan {
  esp: Extent;
  volume: Extent;
  dataFilesystem: "ext4";
}

export interface PartitionPlanOptions {
  /** Size of the EFI system partition in MiB; 1,024 by default, at least 64 (FAT32 needs 65,525 clusters). */
  espMiB?: number;
  dataFilesystem?: "ext4";
  /** Bytes the data volume must have at least. */
  volumeBytes?: number;
}

/** GPT with an EFI system partition and one data volume that takes the rest; all on whole MiB, the last one left to the second table. */
export function planPartitions(sizeBytes: number, options: PartitionPlanOptions = {}): PartitionPlan {
  const espMiB = options.espMiB ?? 1024;
  if (!Number.isInteger(espMiB) || espMiB < 64) throw new DiskError("PRESTAGE_DISK_TOO_SMALL", `The EFI system partition needs at least 64 MiB, found ${espMiB}.`);
  const esp = { start: mebibyte, size: espMiB * mebibyte };
  const start = esp.start + esp.size;
  const size = Math.floor((sizeBytes - mebibyte) / mebibyte) * mebibyte - start;
  const needed = Math.max(options.volumeBytes ?? 0, 64 * mebibyte);
  if (size < needed) {
    const least = Math.ceil((start + needed) / mebibyte) + 1;
    throw new DiskError("PRESTAGE_DISK_TOO_SMALL", `Expected a disk of at least ${least} MiB, found ${Math.floor(sizeBytes / mebibyte)} MiB. Use a larger disk, or media with less content.`);
  }
  return { esp, volume: { start, size }, dataFilesystem: options.dataFilesystem ?? "ext4" };
}
