import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentLibrary } from "./content-library.ts";
import { syncPath } from "../durable-files.ts";
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
 * The files of a version as they are published - its content.wim lies there as one file, so hold it whole -, in the order they are written: a list of patches after its patches, and the storage map, without
 * which nothing is fetched, last.
 */
export async function filesToPublish(library: ContentLibrary, contentId: string): Promise<{ name: string; path: string; size: number }[]> {
  const folder = library.folderOf(contentId);
  const patches = (await readdir(folder)).filter((name) => patchFilePattern.test(name)).sort();
  const files = await Promise.all([...patches, ...versionFiles].map(async (name) => ({ name, path: join(folder, name), size: await sizeOf(join(folder, name), name === optionalFile || patches.includes(name)) })));
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
    return library.whileWhole(contentId, () => this.#publishWhole(library, contentId, to, options), options.signal);
  }

  async #publishWhole(library: ContentLibrary, contentId: string, to: string, options: PublishOptions): Promise<number> {
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

/** Hard links where library and tree are on one file system: nothing is stored twice, and a version never changes. */
async function publishFile(from: string, folder: string, name: string, again: boolean): Promise<number> {
  const [source, there] = [await stat(from), await stat(join(folder, name)).catch(() => undefined)];
  // Files of a version never change; those of patches may be made again, with the same bytes.
  if (there !== undefined && there.size === source.size && (there.ino === source.ino || (!again && there.mtimeMs >= source.mtimeMs))) return 0;
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
