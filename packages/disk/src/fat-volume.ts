import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "./error.ts";
import type { Extent } from "./partition-plan.ts";
import { runProgram } from "./run-program.ts";

/** FAT32 begins at this many clusters; a few more so that no tool takes it for FAT16. */
const leastClusters = 65_600;

/** Sectors in a cluster: as large as FAT32 allows on this partition, at most 4 KiB. */
export function fatClusterSectors(sizeBytes: number, sectorSize: number): number {
  for (let sectors = Math.max(1, 4096 / sectorSize); sectors >= 1; sectors /= 2) {
    if (sizeBytes / (sectors * sectorSize) > leastClusters) return sectors;
  }
  throw new DiskError("PRESTAGE_DISK_TOO_SMALL", `The EFI system partition has ${sizeBytes} bytes, too few for FAT32 with sectors of ${sectorSize} bytes. Make it at least ${Math.ceil((leastClusters * sectorSize) / (1 << 20)) + 1} MiB.`);
}

export interface FatOptions {
  /** Eight hex digits. */
  volumeId: string;
  sectorSize?: number;
  signal?: AbortSignal | undefined;
}

/** Makes an empty FAT32 at a place on a disk or image file, without mounting. */
export async function makeFat(disk: string, extent: Extent, options: FatOptions): Promise<void> {
  const sector = options.sectorSize ?? 512;
  const place = ["--offset", String(extent.start / sector), disk, String(extent.size / 1024)];
  await runProgram("mkfs.vfat", ["-I", "-F", "32", "-s", String(fatClusterSectors(extent.size, sector)), "-S", String(sector), "-h", String(extent.start / sector), "-n", "ESP", "-i", options.volumeId, ...place], { signal: options.signal });
}

/** Copies a folder's content onto a FAT file system; with `overwrite` files that are there are replaced, otherwise that is an error. */
export async function layFatTree(disk: string, extent: Extent, folder: string, options: { signal?: AbortSignal | undefined; overwrite?: boolean } = {}): Promise<void> {
  const names = (await readdir(folder)).sort();
  if (names.length > 0) await mtool("mcopy", disk, extent, ["-s", "-Q", ...(options.overwrite === true ? ["-o"] : []), ...names.map((name) => join(folder, name)), "::/"], options.signal);
}

/** Copies everything on a FAT file system into a folder. */
export async function copyFatTree(disk: string, extent: Extent, folder: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
  await mtool("mcopy", disk, extent, ["-s", "-n", "-Q", "::/", folder], options.signal);
}

/** Names in the root of a FAT file system. */
export async function listFatRoot(disk: string, extent: Extent, options: { signal?: AbortSignal | undefined } = {}): Promise<string[]> {
  const output = await mtool("mdir", disk, extent, ["-b", "-a", "::/"], options.signal);
  return output.split("\n").map((line) => line.replace(/^::\//, "").replace(/\/$/, "")).filter((name) => name !== "");
}

/** Reads one file of a FAT file system back. */
export async function readFatFile(disk: string, extent: Extent, path: string, options: { signal?: AbortSignal | undefined } = {}): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-fat-"));
  try {
    await mtool("mcopy", disk, extent, ["-n", `::/${path}`, join(folder, "file")], options.signal);
    return await readFile(join(folder, "file"));
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new DiskError("PRESTAGE_DISK_FILE_MISSING", `Expected ${path} on the EFI system partition of ${disk}, could not read it.`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function mtool(program: string, disk: string, extent: Extent, args: readonly string[], signal: AbortSignal | undefined): Promise<string> {
  return (await runProgram(program, ["-i", `${disk}@@${extent.start}`, ...args], { env: { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" }, signal })).output;
}
