import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

/** Marks a cached file as used just now. */
export async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** No build lasts as long: what is half made and older was left by one that was ended. */
const abandonedMs = 24 * 3_600_000;

/** Keeps the files of a cache folder that were used last, each with what lies beside it under the same name and `.json`; and removes what was never finished. */
export async function pruneCache(folder: string, suffix: string, keep: number): Promise<void> {
  const files: { path: string; used: number }[] = [];
  for (const name of await readdir(folder)) {
    const partial = name.includes(`${suffix}.partial-`);
    if (!name.endsWith(suffix) && !partial) continue;
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined); // another build may prune too
    if (status === undefined) continue;
    if (!partial) files.push({ path, used: status.mtimeMs });
    else if (Date.now() - status.mtimeMs > abandonedMs) await rm(path, { force: true });
  }
  files.sort((a, b) => b.used - a.used);
  for (const { path } of files.slice(keep)) {
    await rm(`${path}.json`, { force: true });
    await rm(path, { force: true });
  }
}
