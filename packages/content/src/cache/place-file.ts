import { link, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncPath } from "../durable-files.ts";
import type { LocalCache } from "./local-cache.ts";

/** Gives a finished, flushed file its names in the version, durably; `from` may be one of them already. */
export async function placeFile(cache: LocalCache, contentId: string, from: string, file: { paths: readonly string[] }): Promise<void> {
  const targets = file.paths.map((path) => cache.filePath(contentId, path));
  const there = targets.includes(from) ? from : targets[0];
  if (there === undefined) return;
  if (there !== from) {
    await mkdir(dirname(there), { recursive: true, mode: 0o700 });
    await rename(from, there);
    await syncPath(dirname(there));
  }
  for (const twin of targets) {
    if (twin === there) continue;
    await mkdir(dirname(twin), { recursive: true, mode: 0o700 });
    await rm(twin, { force: true });
    await link(there, twin);
  }
}
