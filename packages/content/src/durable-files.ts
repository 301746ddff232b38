import { open, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ContentError } from "./error.ts";

/** fsync of a file or directory. Windows flushes no directory, whose changes NTFS keeps in a journal of its own, and a file only for who may write to it. */
export async function syncPath(path: string): Promise<void> {
  const onWindows = process.platform === "win32";
  if (onWindows && (await stat(path)).isDirectory()) return;
  const handle = await open(path, onWindows ? "r+" : "r");
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
  await renameDurably(temporary, path);
}

/** Gives a file its final name. On Windows a scanner may hold either for a moment: it is tried for two seconds. */
export async function renameDurably(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      break;
    } catch (cause) {
      const busy = process.platform === "win32" && cause instanceof Error && "code" in cause && ["EPERM", "EACCES", "EBUSY"].includes(String(cause.code));
      if (!busy || attempt === 20) throw cause;
      await delay(100);
    }
  }
  await syncPath(dirname(to));
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
