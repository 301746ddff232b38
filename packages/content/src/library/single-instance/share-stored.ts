import { createHash } from "node:crypto";
import { open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { WimFile } from "@prestage/wim";
import { openStorageMap } from "../../description/index-document.ts";
import { syncPath } from "../../durable-files.ts";
import { sourceOfFile } from "../../fetch/file-source.ts";
import { moveReferences, nextOwn, placesInShared, removeOwn, settle } from "./dependents.ts";
import { makeWhole } from "./make-whole.ts";
import { isThere, joined, mostFiles, readShared, sharedName, versionFolders, writeShared } from "./shared-wim.ts";
import type { Segment, SharedWim } from "./shared-wim.ts";
import { openStoredWim } from "./stored-source.ts";

/** Less that lies together in both versions is stored twice: it would cost more to read than it saves. Versions are compared in blocks of it. */
const leastRun = 64 * 1024;
/** Smaller blobs are found by those around them. */
const leastAnchor = 8 * 1024;
/** Of the newest versions first: some 100 MB of memory. */
const mostAnchors = 500_000;
/** A version stays whole where sharing saves less of it. */
const leastSaved = 1024 * 1024;

export interface ShareOptions {
  /** These stay whole: they are read by path, such as the newest OS images. */
  keepWhole?: ReadonlySet<string>;
  signal?: AbortSignal;
  onProgress?: (event: { done: number; total: number }) => void;
}
/** Of the library: nothing else moves data between files meanwhile, and what is held stays one file. */
export interface LibraryInUse { oneAtATime: <T>(work: () => Promise<T>) => Promise<T>; isHeld: (contentId: string) => boolean }
export interface ShareResult { /** Versions whose data is stored in part with another now. */ shared: string[]; /** Bytes the library is smaller by. */ bytes: number }

/** Stored data of a blob: where it lies. */
interface Stored { file: string; from: number }

/**
 * Stores data once that several versions have, whatever object or kind they are of: the newest versions stay whole files, older ones keep what they alone
 * have and refer to the newer for the rest. Equal are stored bytes, compared one by one. A version is right at every moment of it, also where
 * this is cut off; what is damaged is not touched, and what is published by a hard link neither.
 */
export async function shareStored(root: string, options: ShareOptions, { oneAtATime, isHeld }: LibraryInUse): Promise<ShareResult> {
  const order = await newestFirst(root, options.keepWhole ?? new Set());
  const known = new Map<string, Stored>();
  const result: ShareResult = { shared: [], bytes: 0 };
  for (const [i, contentId] of order.entries()) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ done: i, total: order.length });
    const folder = join(root, "content", contentId);
    try {
      const saved = await oneAtATime(async () => {
        await afterInterruption(root, contentId);
        if (options.keepWhole?.has(contentId) === true) await makeWhole(root, contentId, options.signal);
        const stays = options.keepWhole?.has(contentId) === true || isHeld(contentId);
        const bytes = stays ? 0 : await shareVersion(root, contentId, known, options.signal);
        await remember(folder, contentId, known);
        return bytes;
      });
      if (saved > 0) result.shared.push(contentId);
      result.bytes += saved;
    } catch (cause) {
      options.signal?.throwIfAborted();
      // Removed meanwhile, or damaged: validation tells.
      if (cause instanceof RangeError || cause instanceof TypeError) throw cause;
    }
  }
  options.onProgress?.({ done: order.length, total: order.length });
  return result;
}

/** What a pass that was cut off left of a version. */
async function afterInterruption(root: string, contentId: string): Promise<void> {
  const folder = join(root, "content", contentId);
  for (const name of ["content.wim", sharedName]) await rm(join(folder, `${name}.partial`), { force: true });
  if (await isThere(join(folder, "content.wim"))) return settle(root, contentId);
  await removeOwn(root, contentId, new Set((await readShared(folder))?.segments.map(({ file }) => file)));
}

/** Those that stay whole, then by the time of their import. */
async function newestFirst(root: string, keepWhole: ReadonlySet<string>): Promise<string[]> {
  const found: { contentId: string; time: number; whole: boolean }[] = [];
  for (const [contentId, folder] of await versionFolders(root)) {
    const time = await stat(join(folder, "storage.json")).then(({ mtimeMs }) => mtimeMs, () => undefined);
    if (time !== undefined) found.push({ contentId, time, whole: keepWhole.has(contentId) });
  }
  return found.sort((a, b) => Number(b.whole) - Number(a.whole) || b.time - a.time || (a.contentId < b.contentId ? -1 : 1)).map(({ contentId }) => contentId);
}

/** Where a version's data lies that others may refer to. */
async function remember(folder: string, contentId: string, known: Map<string, Stored>): Promise<void> {
  const shared = (await isThere(join(folder, "content.wim"))) ? undefined : await readShared(folder);
  const wim = await openStoredWim({ folder, wimPath: join(folder, "content.wim") });
  try {
    for (const { key, offset, length } of anchorsOf(wim)) {
      if (known.has(key) || known.size >= mostAnchors) continue;
      const [place, ...more] = shared === undefined ? [{ file: `${contentId}/content.wim`, from: offset }] : placesInShared(shared, { file: "", from: offset, length, at: 0 });
      if (place !== undefined && more.length === 0 && place.file.startsWith(`${contentId}/`)) known.set(key, { file: place.file, from: place.from });
    }
  } finally {
    await wim.close();
  }
}

function anchorsOf(wim: WimFile): { key: string; offset: number; length: number }[] {
  return [...wim.blobs.values()].filter(({ resource }) => resource.storedSize >= leastAnchor).map(({ sha1, resource }) => ({ key: `${sha1}:${resource.storedSize}:${resource.flags}`, offset: resource.offset, length: resource.storedSize })).sort((a, b) => a.offset - b.offset);
}

/** Returns the bytes saved; 0: it stays as it is. */
async function shareVersion(root: string, contentId: string, known: ReadonlyMap<string, Stored>, signal: AbortSignal | undefined): Promise<number> {
  const folder = join(root, "content", contentId);
  const path = join(folder, "content.wim");
  if (!(await isThere(path))) return 0;
  const status = await stat(path);
  if (status.nlink > 1 || status.size < leastSaved) return 0;
  const wim = await openStoredWim({ folder, wimPath: path });
  try {
    const wanted = sharedRuns(wim, known);
    if (wanted.reduce((sum, run) => sum + run.length, 0) < leastSaved) return 0;
    const { sha256, size } = await storageOf(folder);
    if (size !== status.size) return 0;
    const runs = await equalRuns(root, wim, wanted, signal);
    const saved = runs.reduce((sum, run) => sum + run.length, 0);
    if (saved < leastSaved) return 0;
    const shared = await writeOwn(folder, contentId, wim, runs, { size, sha256 });
    if (shared === undefined) return 0;
    await writeShared(folder, shared);
    await moveReferences(root, contentId, (segment) => (segment.file === `${contentId}/content.wim` ? placesInShared(shared, segment) : [segment]));
    await rm(path);
    await syncPath(folder);
    return saved;
  } finally {
    await wim.close();
  }
}

/** Bytes [at, at + length) of the version's content.wim that may be those of another's file from `from` on: its large blobs, with what lies between two that lie alike. */
function sharedRuns(wim: WimFile, known: ReadonlyMap<string, Stored>): Segment[] {
  const runs: Segment[] = [];
  const files = new Set<string>();
  for (const { key, offset, length } of anchorsOf(wim)) {
    const there = known.get(key);
    if (there === undefined || (!files.has(there.file) && files.size >= mostFiles - 1)) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.at + last.length > offset) continue;
    if (last !== undefined && last.file === there.file && there.from - last.from === offset - last.at) last.length = offset + length - last.at;
    else runs.push({ file: there.file, from: there.from, length, at: offset });
    files.add(there.file);
  }
  return runs;
}

/** Of these, what is the same in both. */
async function equalRuns(root: string, wim: WimFile, runs: readonly Segment[], signal: AbortSignal | undefined): Promise<Segment[]> {
  const equal: Segment[] = [];
  for (const run of runs) {
    signal?.throwIfAborted();
    const file = await open(join(root, "content", run.file), "r").catch(() => undefined);
    if (file === undefined) continue;
    try {
      let last: Segment | undefined;
      for (let done = 0; done < run.length; done += leastRun) {
        const length = Math.min(leastRun, run.length - done);
        const bytes = Buffer.allocUnsafe(length);
        const { bytesRead } = await file.read(bytes, 0, length, run.from + done);
        if (bytesRead !== length || !bytes.equals(await wim.source.read(run.at + done, length))) last = undefined;
        else if (last !== undefined) last.length += length;
        else equal.push((last = { file: run.file, from: run.from + done, length, at: run.at + done }));
      }
    } finally {
      await file.close();
    }
  }
  return equal.filter(({ length }) => length >= leastRun);
}

/** Writes what is in no run to a file of the version's own. Undefined, and nothing written, where content.wim is not what its storage map says. */
async function writeOwn(folder: string, contentId: string, wim: WimFile, runs: readonly Segment[], { size, sha256 }: { size: number; sha256: string }): Promise<SharedWim | undefined> {
  const own = await nextOwn(folder, contentId);
  const places: Omit<Segment, "at">[] = [];
  const hash = createHash("sha256");
  const file = await open(own.path, "wx", 0o644);
  let kept = false;
  try {
    let written = 0;
    const keep = async (from: number, to: number) => {
      if (from === to) return;
      places.push({ file: own.name, from: written, length: to - from });
      for (let at = from; at < to; at += 1 << 20) {
        const bytes = await wim.source.read(at, Math.min(1 << 20, to - at));
        await file.write(bytes, 0, bytes.length, written);
        written += bytes.length;
      }
    };
    let at = 0;
    for (const run of runs) {
      await keep(at, run.at);
      places.push({ file: run.file, from: run.from, length: run.length });
      at = run.at + run.length;
    }
    await keep(at, size);
    await file.sync();
    for await (const bytes of sourceOfFile(wim.source)) hash.update(bytes);
    kept = hash.digest("hex") === sha256;
    return kept ? { size, sha256, segments: joined(places) } : undefined;
  } finally {
    await file.close();
    if (!kept) await rm(own.path, { force: true });
    else await syncPath(folder);
  }
}

async function storageOf(folder: string): Promise<{ size: number; sha256: string }> {
  const map = openStorageMap(await readFile(join(folder, "storage.json")), undefined);
  return { size: map.wimSize, sha256: map.wimSha256 };
}

/** Bytes that the versions of a library share, and so do not take. */
export async function sharedBytes(root: string): Promise<number> {
  let bytes = 0;
  for (const [contentId, folder] of await versionFolders(root)) {
    if (await isThere(join(folder, "content.wim"))) continue;
    const shared = await readShared(folder).catch(() => undefined);
    for (const segment of shared?.segments ?? []) if (!segment.file.startsWith(`${contentId}/`)) bytes += segment.length;
  }
  return bytes;
}
