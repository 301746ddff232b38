import { open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ContentError } from "./error.ts";

/** fsync of a file or directory. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file so that after a power cut it is there whole or not at all (ext4, NTFS; never on FAT). */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.partial`;
  await writeFile(temporary, bytes, { mode });
  await syncPath(temporary);
  await rename(temporary, path);
  await syncPath(dirname(path));
}

/** Reads at most `limit` bytes of a file. */
export async function readBounded(path: string, limit: number): Promise<Buffer> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    if (size > limit) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${path} to have at most ${limit} bytes; found ${size}.`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
