import { open } from "node:fs/promises";
import { DiskError } from "./error.ts";
import { Ext4Reader } from "./ext4-reader.ts";
import type { Extent } from "./partition-plan.ts";
import { runProgram } from "./run-program.ts";

export interface Ext4Options {
  /** File system UUID; never the same on two disks. */
  uuid: string;
  /** Folder whose tree the file system begins with; owners, modes, times and extended attributes are kept. */
  populate?: string;
  signal?: AbortSignal | undefined;
}

/**
 * Makes an ext4 at a place on a disk or image file, without mounting. Without the two features GRUB 2.06 cannot read.
 */
export async function makeExt4(disk: string, extent: Extent, options: Ext4Options): Promise<void> {
  const extended = `offset=${extent.start},root_owner=0:0,lazy_itable_init=1,lazy_journal_init=0`;
  const args = ["-q", "-F", "-F", "-t", "ext4", "-b", "4096", "-L", "prestage", "-O", "^orphan_file,^metadata_csum_seed", "-E", extended, "-U", options.uuid];
  if (options.populate !== undefined) args.push("-d", options.populate);
  args.push(disk, `${extent.size / 1024}k`);
  // Debian 12's tool does not know the first feature and refuses to be told to leave it out.
  await runProgram("mke2fs", args, { signal: options.signal }).catch(async (error: unknown) => {
    if (!(error instanceof Error) || !/Invalid filesystem option set|orphan_file/.test(error.message)) throw error;
    await runProgram("mke2fs", args.map((arg) => arg.replace("^orphan_file,", "")), { signal: options.signal });
  });
}

/** How many bytes a file holds without growing: what `overwriteExt4File` may put into it. Undefined where there is none. */
export async function ext4FileCapacity(disk: string, extent: Extent, path: string): Promise<number | undefined> {
  const reader = await Ext4Reader.open(disk, extent);
  try {
    return (await reader.has(path)) ? (await reader.locate(path)).reduce((sum, place) => sum + place.size, 0) : undefined;
  } finally {
    await reader.close();
  }
}

/**
 * Overwrites a file's bytes where they lie and flushes them; line ends fill what is left of it. Nothing else of the file
 * system changes, so a power cut leaves it sound, and the bytes never lie anywhere else, not even in a temporary file.
 */
export async function overwriteExt4File(disk: string, extent: Extent, path: string, content: Uint8Array): Promise<void> {
  const reader = await Ext4Reader.open(disk, extent);
  let places: Extent[];
  try {
    places = await reader.locate(path);
  } finally {
    await reader.close();
  }
  const room = places.reduce((sum, place) => sum + place.size, 0);
  if (content.byteLength > room) throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `Expected /${path} on ${disk} to have room for ${content.byteLength} bytes; it has ${room}.`);
  const bytes = Buffer.alloc(room, "\n");
  bytes.set(content);
  const file = await open(disk, "r+");
  try {
    let at = 0;
    for (const place of places) {
      await file.write(bytes, at, place.size, place.start);
      at += place.size;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
