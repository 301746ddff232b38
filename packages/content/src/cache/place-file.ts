import { link, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncPath } from "../durable-files.ts";
import type { LocalCache } from "./local-cache.ts";

/** Gives a finished, flushed file its names in the version, durably; `from` may be one of them already. */
export async function placeFile(cache: LocalCache, contentId: string, from: string, file: { paths: readonly string[] }): Promise<void> {
  const folder = await nameFile(cache, contentId, from, file);
  if (folder !== undefined) await syncPath(folder);
}

/** Returns the folder to flush, where a name in it is new. */
async function nameFile(cache: LocalCache, contentId: string, from: string, file: { paths: readonly string[] }): Promise<string | undefined> {
  const targets = file.paths.map((path) => cache.filePath(contentId, path));
  const there = targets.includes(from) ? from : targets[0];
  if (there === undefined) return undefined;
  if (there !== from) {
    await mkdir(dirname(there), { recursive: true, mode: 0o700 });
    await rename(from, there);
  }
  for (const twin of targets) {
    if (twin === there) continue;
    await mkdir(dirname(twin), { recursive: true, mode: 0o700 });
    await rm(twin, { force: true });
    await link(there, twin);
  }
  return there === from ? undefined : dirname(there);
}

/** What may be lost when power goes: it is fetched again. */
const mostFiles = 256;
const mostBytes = 32 * 1024 * 1024;
const atOnce = 16;

/**
 * Finished files on their way to their names. They are flushed together, which costs a disk far less than one after the other; none has its name before
 * its bytes are on the disk; each folder is flushed once.
 */
export class PlaceBatch {
  readonly #cache: LocalCache;
  readonly #contentId: string;
  #pending: { from: string; file: { paths: readonly string[] } }[] = [];
  #bytes = 0;

  constructor(cache: LocalCache, contentId: string) {
    this.#cache = cache;
    this.#contentId = contentId;
  }

  async add(from: string, file: { paths: readonly string[] }, size: number): Promise<void> {
    this.#pending.push({ from, file });
    this.#bytes += size;
    if (this.#pending.length >= mostFiles || this.#bytes >= mostBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    [this.#pending, this.#bytes] = [[], 0];
    for (let i = 0; i < pending.length; i += atOnce) await Promise.all(pending.slice(i, i + atOnce).map(({ from }) => syncPath(from)));
    const folders = new Set<string>();
    for (const { from, file } of pending) {
      const folder = await nameFile(this.#cache, this.#contentId, from, file);
      if (folder !== undefined) folders.add(folder);
    }
    for (const folder of folders) await syncPath(folder);
  }
}
