import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, link, lstat, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeDurably } from "../durable-files.ts";
import { ContentError } from "../error.ts";
import { chunkings, chunkingOf } from "../description/chunking.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import { describeBytes } from "../import/describe-bytes.ts";
import { checkChunkLists, openIndex } from "../description/index-document.ts";
import { LocalChunks } from "./local-chunks.ts";
import { sha256Schema } from "../description/schema.ts";
import type { ContentIndex, IndexFile } from "../description/schema.ts";
import { verifyFiles } from "./verify-files.ts";
import type { FileToVerify, VerifyOptions } from "./verify-files.ts";

/** Other content that is looked through for what a version needs. */
const mostOthers = 256;

/** What the disk holds of one file of a version: as it must be, another version of it (or a damaged one), or nothing. */
export type FileState = "hit" | "revised" | "missing";
export interface CachedFile { file: IndexFile; state: FileState; /** Of a hit: where its bytes lie. */ foundAt?: string }

export interface CacheAnswer {
  /** hit: every file; missing: no version of it on the disk; else revised. */
  state: FileState;
  files: CachedFile[];
}

/** The content on a device: plain files under content/<id>/files, with index.json and chunks.bin beside them (design.md section 4). */
export class LocalCache {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  folderOf(contentId: string): string {
    return join(this.root, sha256Schema.parse(contentId));
  }
  filePath(contentId: string, path: string): string {
    return join(this.folderOf(contentId), "files", path);
  }

  /** Where a file grows until it is whole; outside files/, where a name of the content could be the same. */
  partialPath(contentId: string, sha256: string): string {
    return join(this.folderOf(contentId), "incoming", sha256Schema.parse(sha256));
  }
  /** Where a file is put together from what the disk holds and what is fetched. */
  assemblyPath(contentId: string, sha256: string): string {
    return `${this.partialPath(contentId, sha256)}.assembly`;
  }
  async removePartials(contentId: string): Promise<void> {
    await rm(join(this.folderOf(contentId), "incoming"), { recursive: true, force: true });
  }

  /** The versions on the disk other than these, of whatever content. */
  async otherVersions(known: readonly string[]): Promise<string[]> {
    const names = await readdir(this.root).catch(() => []);
    return names.filter((name) => sha256Schema.safeParse(name).success && !known.includes(name)).sort().slice(0, mostOthers);
  }

  /** The index of a version on the disk; undefined where there is none or it is damaged. */
  async readIndex(contentId: string): Promise<ContentIndex | undefined> {
    try {
      return openIndex(await readFile(join(this.folderOf(contentId), "index.json")), contentId);
    } catch {
      return undefined;
    }
  }

  /** A version's chunk lists, where the disk holds them as its index says. */
  async readChunks(contentId: string, index: ContentIndex): Promise<Buffer | undefined> {
    try {
      const chunks = await readFile(join(this.folderOf(contentId), "chunks.bin"));
      checkChunkLists(index, chunks);
      return chunks;
    } catch {
      return undefined;
    }
  }

  /**
   * The chunks the files of these versions hold, as far as the disk holds their lists, cut as `wanted` is: a version that was cut otherwise is cut anew, but
   * not one of the others, of other content. `only`: those that are asked for.
   */
  async chunksOf(contentIds: readonly string[], wanted: ContentIndex, others: readonly string[] = [], only?: ReadonlySet<string>): Promise<LocalChunks> {
    const chunks = new LocalChunks();
    for await (const { path, list } of this.#chunkLists(contentIds, wanted)) chunks.add(path, await list(), only);
    for await (const { path, list, cutAlike } of this.#chunkLists(others, wanted)) if (cutAlike) chunks.add(path, await list(), only);
    return chunks;
  }

  /** Whether `chunksOf` would find any. */
  async holdsChunks(contentIds: readonly string[], wanted: ContentIndex): Promise<boolean> {
    for await (const _ of this.#chunkLists(contentIds, wanted)) return true;
    return false;
  }

  async *#chunkLists(contentIds: readonly string[], wanted: ContentIndex): AsyncIterable<{ path: string; cutAlike: boolean; list: () => Promise<Buffer> }> {
    for (const id of contentIds) {
      const index = await this.readIndex(id);
      const lists = index && (await this.readChunks(id, index));
      if (index === undefined || lists === undefined) continue;
      const byPath = chunkListsOf(index, lists);
      for (const file of index.files) {
        const path = this.filePath(id, file.path);
        const list = listAsWanted(index, wanted, file, path, byPath.get(file.path));
        if (list !== undefined && (await lstat(path).then((status) => status.isFile(), () => false))) yield { path, cutAlike: chunkingOf(index, file) === chunkingOf(wanted), list };
      }
    }
  }

  /**
   * Answers hit, revised or missing for each file of a version, by reading and hashing what could be it:
   * the file itself, and every file of equal SHA-256 in the earlier versions given, and in the others, of other content.
   */
  async ask(contentId: string, index: ContentIndex, earlierContentIds: readonly string[], options: VerifyOptions & { others?: readonly string[] } = {}): Promise<CacheAnswer> {
    const candidates = new Map<string, string[]>();
    const knownPaths = new Set<string>();
    let anyVersion = false;
    for (const id of [contentId, ...earlierContentIds]) {
      const held = id === contentId ? index : await this.readIndex(id);
      if (held === undefined) continue;
      for (const file of held.files) {
        const path = this.filePath(id, file.path);
        if (!(await lstat(path).then((s) => s.isFile(), () => false))) continue;
        anyVersion = true;
        knownPaths.add(file.path);
        candidates.set(file.sha256, [...(candidates.get(file.sha256) ?? []), path]);
      }
    }
    await this.#addOthers(candidates, index, options.others ?? []);
    const good = await firstGood(index.files, candidates, options);
    const files = index.files.map((file): CachedFile => {
      const foundAt = good.get(file.sha256);
      return foundAt === undefined ? { file, state: knownPaths.has(file.path) ? "revised" : "missing" } : { file, state: "hit", foundAt };
    });
    const state = files.every((file) => file.state === "hit") ? "hit" : anyVersion ? "revised" : "missing";
    return { state, files };
  }

  async #addOthers(candidates: Map<string, string[]>, index: ContentIndex, others: readonly string[]): Promise<void> {
    const wanted = new Set(index.files.filter((file) => file.size > 0).map((file) => file.sha256));
    for (const id of others) {
      for (const file of (await this.readIndex(id))?.files ?? []) {
        const path = this.filePath(id, file.path);
        if (wanted.has(file.sha256) && (await lstat(path).then((s) => s.isFile(), () => false))) candidates.set(file.sha256, [...(candidates.get(file.sha256) ?? []), path]);
      }
    }
  }

  /** Brings files found elsewhere in the cache to their place in this version, without a second copy where possible. */
  async adopt(contentId: string, answer: CacheAnswer): Promise<void> {
    for (const { file, foundAt } of answer.files) {
      const target = this.filePath(contentId, file.path);
      if (foundAt === undefined || foundAt === target) continue;
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      const temporary = this.partialPath(contentId, file.sha256);
      await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
      await rm(temporary, { force: true });
      await link(foundAt, temporary).catch(() => copyFile(foundAt, temporary, constants.COPYFILE_FICLONE));
      await rename(temporary, target);
      // Renaming one name of a file onto another name of it does nothing at all (POSIX).
      await rm(temporary, { force: true });
    }
  }

  /** Keeps a version's description, durably: index.json, and chunks.bin where it is known already. */
  async keepDescription(contentId: string, indexBytes: Uint8Array, chunks?: Uint8Array): Promise<void> {
    const folder = this.folderOf(contentId);
    await mkdir(join(folder, "files"), { recursive: true, mode: 0o700 });
    if (chunks !== undefined) await this.keepChunks(contentId, chunks);
    await writeDurably(join(folder, "index.json"), indexBytes);
  }
  keepChunks(contentId: string, chunks: Uint8Array): Promise<void> {
    return writeDurably(join(this.folderOf(contentId), "chunks.bin"), chunks);
  }

  /**
   * Makes a root-only copy of a version for a step to run from, and hashes the copy: what runs is exactly what was verified.
   * @throws ContentError PRESTAGE_CONTENT_DAMAGED; then no copy is left
   */
  async checkOut(contentId: string, index: ContentIndex, target: string): Promise<void> {
    await rm(target, { recursive: true, force: true });
    try {
      await mkdir(target, { recursive: true, mode: 0o700 });
      for (const directory of index.directories) await mkdir(join(target, directory), { recursive: true, mode: 0o755 });
      for (const file of index.files) {
        const to = join(target, file.path);
        await mkdir(dirname(to), { recursive: true, mode: 0o755 });
        await copyPlainFile(this.filePath(contentId, file.path), to, file);
      }
      // The copy is what runs, so the copy is what is hashed; nobody but root reaches it.
      const copies = index.files.map((file) => toVerify(join(target, file.path), file));
      const [bad] = await verifyFiles(copies);
      if (bad !== undefined) throw damaged(bad.file, bad.bad[0] ? `${bad.bad[0].what} at ${bad.bad[0].offset} with SHA-256 ${bad.bad[0].found}` : `${bad.foundSize ?? 0} bytes`);
      // What a step copies into the system keeps these modes; the folder above them is root's alone.
      for (const file of index.files) await chmod(join(target, file.path), file.executable ? 0o755 : 0o644);
    } catch (cause) {
      await rm(target, { recursive: true, force: true });
      throw cause;
    }
  }
}

/** A file's chunks as the version that is wanted is cut: from its list, or by reading it. Undefined where it has none. */
function listAsWanted(index: ContentIndex, wanted: ContentIndex, file: IndexFile, path: string, list: Buffer | undefined): (() => Promise<Buffer>) | undefined {
  const chunking = chunkingOf(wanted);
  if (chunkingOf(index, file) === chunking) return list === undefined ? undefined : () => Promise.resolve(list);
  // An image and the files of an application have nothing to share.
  if (index.shape !== wanted.shape || file.size <= chunkings[chunking].above) return undefined;
  return () => describeBytes(file.size, createReadStream(path, { highWaterMark: 1 << 20 }), { chunks: chunking }).then(({ chunkList }) => chunkList, () => Buffer.alloc(0));
}

function toVerify(path: string, file: IndexFile): FileToVerify {
  return { path, name: file.path, size: file.size, sha256: file.sha256, spans: file.spans };
}

/** By SHA-256: a path whose bytes are right. All files are checked together, those with a bad first candidate again with the next. */
async function firstGood(files: readonly IndexFile[], candidates: ReadonlyMap<string, readonly string[]>, options: VerifyOptions): Promise<Map<string, string>> {
  const good = new Map<string, string>();
  let open = [...new Map(files.filter((file) => candidates.has(file.sha256)).map((file) => [file.sha256, file])).values()];
  for (let round = 0; open.length > 0; round++) {
    const tried = open.flatMap((file) => {
      const path = candidates.get(file.sha256)?.[round];
      return path === undefined ? [] : [toVerify(path, file)];
    });
    const bad = new Set((await verifyFiles(tried, options)).map((one) => one.file.path));
    for (const file of tried) if (!bad.has(file.path)) good.set(file.sha256, file.path);
    open = open.filter((file) => !good.has(file.sha256) && round + 1 < (candidates.get(file.sha256)?.length ?? 0));
  }
  return good;
}

/** Copies a file that is one: a link on a disk prepared elsewhere could lead anywhere. */
async function copyPlainFile(from: string, to: string, file: IndexFile): Promise<void> {
  try {
    const status = await lstat(from);
    if (!status.isFile() || status.size !== file.size) throw new RangeError(status.isFile() ? `${status.size} bytes` : "no plain file");
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (cause) {
    throw damaged({ name: file.path, size: file.size, sha256: file.sha256 }, cause instanceof Error ? cause.message : String(cause));
  }
}

function damaged(file: { name: string; size: number; sha256: string }, found: string): ContentError {
  return new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${JSON.stringify(file.name)} with ${file.size} bytes and SHA-256 ${file.sha256}; found ${found}. It will be fetched again.`);
}
