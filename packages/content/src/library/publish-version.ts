import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ContentLibrary } from "./content-library.ts";
import { syncPath } from "../durable-files.ts";
import { sourceOfFile } from "../fetch/file-source.ts";
import { wimSize } from "./single-instance/shared-wim.ts";
import { openLibraryFile } from "./single-instance/stored-source.ts";
import { patchFilePattern, sha256Schema } from "../description/schema.ts";
import { optionalFile, versionFiles } from "../description/version-files.ts";

export interface PublishOptions {
  signal?: AbortSignal;
  /** Bytes written so far of this version. */
  onProgress?: (event: { done: number; total: number }) => void;
  /** Write what is there already, too: it is damaged. */
  again?: boolean;
}

/** Where a distribution point's web server has its files from. */
export interface PublishTarget {
  /** For messages. */
  readonly name: string;
  /** Puts a version there, with the patches to it; what is there already stays. Returns the bytes written. */
  publish(library: ContentLibrary, contentId: string, options?: PublishOptions): Promise<number>;
  /** The versions that lie there, whole or in part. */
  published(signal?: AbortSignal): Promise<string[]>;
  /** Removes a version. */
  unpublish(contentId: string, signal?: AbortSignal): Promise<void>;
}

/**
 * The files of a version as they are published (to be read by `openLibraryFile`), in the order they are written: a list of patches after its patches, and the storage map, without
 * which nothing is fetched, last.
 */
export async function filesToPublish(library: ContentLibrary, contentId: string): Promise<{ name: string; path: string; size: number }[]> {
  const folder = library.folderOf(contentId);
  const patches = (await readdir(folder)).filter((name) => patchFilePattern.test(name)).sort();
  const files = await Promise.all([...patches, ...versionFiles].map(async (name) => ({ name, path: join(folder, name), size: name === "content.wim" ? await wimSize(folder) : await sizeOf(join(folder, name), name === optionalFile || patches.includes(name)) })));
  // Patches may be dropped, or just be made: a list without its patches, or they without their list, are of no use.
  const there = new Set(files.filter(({ size }) => size !== undefined).map(({ name }) => name));
  const isWhole = (name: string) => !patchFilePattern.test(name) || ["bin", "json.zst"].every((end) => there.has(name.replace(/(?:bin|json\.zst)$/, end)));
  return files.flatMap(({ name, path, size }) => (size === undefined || !isWhole(name) ? [] : [{ name, path, size }]));
}

/** Undefined where it is not there, and may be missing. */
async function sizeOf(path: string, mayBeMissing: boolean): Promise<number | undefined> {
  return stat(path).then(({ size }) => size, (cause: NodeJS.ErrnoException) => {
    if (mayBeMissing && cause.code === "ENOENT") return undefined;
    throw cause;
  });
}

/** A tree any web server can serve as a distribution point: FOLDER/content/ID/. Each file appears whole. */
export class FolderTarget implements PublishTarget {
  readonly name: string;

  constructor(folder: string) {
    this.name = folder;
  }

  async publish(library: ContentLibrary, contentId: string, options: PublishOptions = {}): Promise<number> {
    const to = join(this.name, "content", sha256Schema.parse(contentId));
    await mkdir(to, { recursive: true });
    const files = await filesToPublish(library, contentId);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    let written = 0;
    for (const { name, path, size } of files) {
      options.signal?.throwIfAborted();
      written += await publishFile(path, to, name, options.again === true).catch((cause: NodeJS.ErrnoException) => {
        // Dropped while it was being published: it goes with the next publication.
        if (cause.code === "ENOENT" && patchFilePattern.test(name)) return 0;
        throw cause;
      });
      options.onProgress?.({ done: (done += size), total });
    }
    const names = new Set(files.map(({ name }) => name));
    for (const name of (await readdir(to)).filter((one) => !names.has(one))) await rm(join(to, name), { force: true });
    await syncPath(to);
    return written;
  }

  async published(): Promise<string[]> {
    return (await readdir(join(this.name, "content")).catch(() => [])).filter((name) => sha256Schema.safeParse(name).success).sort();
  }

  async unpublish(contentId: string): Promise<void> {
    const folder = join(this.name, "content", sha256Schema.parse(contentId));
    // Without its storage map nobody begins to fetch it.
    await rm(join(folder, "storage.json"), { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the versions that are not among these; what is not a version's is left alone. Returns the ids removed. */
export async function unpublishOthers(target: PublishTarget, contentIds: ReadonlySet<string>, signal?: AbortSignal): Promise<string[]> {
  const others = (await target.published(signal)).filter((id) => !contentIds.has(id));
  for (const id of others) await target.unpublish(id, signal);
  return others;
}

/** Hard links where library and tree are on one file system: nothing is stored twice, and a version never changes. What lies with other versions in part is put together. */
async function publishFile(from: string, folder: string, name: string, again: boolean): Promise<number> {
  const there = await stat(join(folder, name)).catch(() => undefined);
  const source = await stat(from).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT" || name !== "content.wim") throw cause;
    // As old as its storage map: a version never changes.
    const { mtimeMs } = await stat(join(dirname(from), "storage.json"));
    return { size: await wimSize(dirname(from)), ino: undefined, mtimeMs };
  });
  // Files of a version never change; those of patches may be made again, with the same bytes.
  if (there !== undefined && there.size === source.size && (there.ino === source.ino || (!again && there.mtimeMs >= source.mtimeMs))) return 0;
  const temporary = join(folder, `.${name}.partial`);
  await rm(temporary, { force: true });
  await link(from, temporary).catch(async () => {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE).catch(async (cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT" || name !== "content.wim") throw cause;
      const stored = await openLibraryFile(from);
      try {
        await writeFile(temporary, sourceOfFile(stored), { mode: 0o644 });
      } finally {
        await stored.close();
      }
    });
    await syncPath(temporary);
  });
  await rename(temporary, join(folder, name));
  // Renaming one name of a file onto another name of it does nothing at all (POSIX).
  await rm(temporary, { force: true });
  return source.size;
}
