import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentLibrary } from "./content-library.ts";
import { syncPath } from "../durable-files.ts";
import { patchFilePattern, sha256Schema } from "../description/schema.ts";

const versionFiles = ["content.wim", "chunks.bin", "index.json", "index.json.zst", "storage.json"];

/**
 * Puts a version, with the patches to it, into a tree any web server with ranges can serve as a distribution point: TARGET/content/ID/.
 * Each file appears whole; the storage map, without which nothing is fetched, last. What is there already stays. Returns the bytes written.
 */
export async function publishVersion(library: ContentLibrary, contentId: string, target: string, options: { signal?: AbortSignal } = {}): Promise<number> {
  const from = library.folderOf(contentId);
  const to = join(target, "content", contentId);
  await mkdir(to, { recursive: true });
  const patches = (await readdir(from)).filter((name) => patchFilePattern.test(name)).sort();
  let written = 0;
  for (const name of [...patches, ...versionFiles]) {
    options.signal?.throwIfAborted();
    written += await publishFile(join(from, name), to, name);
  }
  for (const name of (await readdir(to)).filter((one) => !versionFiles.includes(one) && !patches.includes(one))) await rm(join(to, name), { force: true });
  await syncPath(to);
  return written;
}

/** Removes versions that are not among these from a published tree; what is not a version's folder is left alone. Returns the ids removed. */
export async function unpublishOthers(target: string, contentIds: ReadonlySet<string>): Promise<string[]> {
  const folder = join(target, "content");
  const removed: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!sha256Schema.safeParse(name).success || contentIds.has(name)) continue;
    // Without its storage map nobody begins to fetch it.
    await rm(join(folder, name, "storage.json"), { force: true });
    await rm(join(folder, name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

/** Hard links where library and tree are on one file system: nothing is stored twice, and a version never changes. */
async function publishFile(from: string, folder: string, name: string): Promise<number> {
  const [source, there] = [await stat(from), await stat(join(folder, name)).catch(() => undefined)];
  // Files of a version never change; those of patches may be made again, with the same bytes.
  if (there !== undefined && there.size === source.size && (there.ino === source.ino || there.mtimeMs >= source.mtimeMs)) return 0;
  const temporary = join(folder, `.${name}.partial`);
  await rm(temporary, { force: true });
  await link(from, temporary).catch(async () => {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    await syncPath(temporary);
  });
  await rename(temporary, join(folder, name));
  // Renaming one name of a file onto another name of it does nothing at all (POSIX).
  await rm(temporary, { force: true });
  return source.size;
}
