import { asBuffer } from "./bytes.ts";
import { storedHashes, symlinkTag, type WimEntry } from "./entry.ts";
import { walkEntries, type WimImage } from "./metadata.ts";
import type { AnyWim } from "./wim-file.ts";

/** An image of an open WIM. */
export interface ComparedImage {
  readonly wim: AnyWim;
  /** From 1. */
  readonly image: number;
}

export type EntryKind = "file" | "directory" | "link" | "reparse-point";

export interface DiffEntry {
  readonly path: string;
  readonly kind: EntryKind;
  /** Bytes of its data, named streams included. */
  readonly size: number;
}

export interface ChangedEntry extends DiffEntry {
  /** `kind`: it became something else. */
  readonly what: readonly ("kind" | "content" | "streams" | "attributes" | "times" | "security" | "owner" | "other")[];
  readonly oldSize: number;
}

export interface ImageDiff {
  readonly added: readonly DiffEntry[];
  readonly removed: readonly DiffEntry[];
  readonly changed: readonly ChangedEntry[];
  readonly unchanged: number;
  /** Bytes of data the new image has and the old has nowhere, each counted once: decoded, and as they are stored (0 for solid ones). */
  readonly newBytes: number;
  readonly newStoredBytes: number;
  /** Bytes of data only the old image has. */
  readonly goneBytes: number;
}

export interface DiffOptions {
  /** Ignores times, which differ between captures of equal trees. */
  readonly ignoreTimes?: boolean;
}

/** Compares two images by path. Content is compared by SHA-1, so no data are read. */
export async function diffImages(older: ComparedImage, newer: ComparedImage, options: DiffOptions = {}): Promise<ImageDiff> {
  const [oldImage, newImage] = [await older.wim.readImage(older.image), await newer.wim.readImage(newer.image)];
  const before = pathsOf(oldImage);
  const after = pathsOf(newImage);
  const had = hashesOf(before.values());
  const has = hashesOf(after.values());
  const added: DiffEntry[] = [];
  const changed: ChangedEntry[] = [];
  let unchanged = 0;
  for (const [path, entry] of after) {
    const old = before.get(path);
    before.delete(path);
    const described = describe(newer.wim, path, entry);
    if (old === undefined) added.push(described);
    else {
      const what = differences(old, oldImage, entry, newImage, options);
      if (what.length === 0) unchanged++;
      else changed.push({ ...described, what, oldSize: sizeOf(older.wim, old) });
    }
  }
  const removed = [...before].map(([path, entry]) => describe(older.wim, path, entry));
  const fresh = [...has].filter((sha1) => !had.has(sha1)).map((sha1) => newer.wim.blob(sha1).resource);
  return {
    added, removed, changed, unchanged,
    newBytes: fresh.reduce((sum, { size }) => sum + size, 0),
    newStoredBytes: fresh.reduce((sum, { storedSize, place }) => sum + (place?.solid === undefined ? storedSize : 0), 0),
    goneBytes: [...had].filter((sha1) => !has.has(sha1)).reduce((sum, sha1) => sum + older.wim.blob(sha1).resource.size, 0),
  };
}

/** What an entry is on a disk. */
export function entryKind(entry: WimEntry): EntryKind {
  if (entry.isDirectory) return "directory";
  if (entry.reparseTag === undefined) return "file";
  return entry.reparseTag === symlinkTag ? "link" : "reparse-point";
}

function pathsOf(image: WimImage): Map<string, WimEntry> {
  const paths = new Map([["", image.root]]);
  for (const { path, entry } of walkEntries(image)) paths.set(path, entry);
  return paths;
}

function hashesOf(entries: Iterable<WimEntry>): Set<string> {
  const hashes = new Set<string>();
  for (const { raw } of entries) for (const sha1 of storedHashes(asBuffer(raw))) hashes.add(sha1);
  return hashes;
}

function sizeOf(wim: AnyWim, entry: WimEntry): number {
  return [entry.sha1, ...entry.streams.map(({ sha1 }) => sha1)].reduce((sum, sha1) => sum + (sha1 === undefined ? 0 : wim.blob(sha1).resource.size), 0);
}

function describe(wim: AnyWim, path: string, entry: WimEntry): DiffEntry {
  return { path, kind: entryKind(entry), size: sizeOf(wim, entry) };
}

function differences(old: WimEntry, oldImage: WimImage, entry: WimEntry, image: WimImage, options: DiffOptions): ChangedEntry["what"] {
  const tests: [ChangedEntry["what"][number], boolean][] = [
    ["kind", entryKind(old) !== entryKind(entry)],
    ["content", old.sha1 !== entry.sha1 || old.reparseSha1 !== entry.reparseSha1 || old.reparseTag !== entry.reparseTag],
    ["streams", JSON.stringify(old.streams) !== JSON.stringify(entry.streams)],
    ["attributes", old.attributes !== entry.attributes || old.shortName !== entry.shortName],
    ["times", options.ignoreTimes !== true && (old.created !== entry.created || old.written !== entry.written)],
    ["security", !sameBytes(oldImage.securityDescriptors[old.securityIndex], image.securityDescriptors[entry.securityIndex])],
    ["owner", JSON.stringify(old.unix) !== JSON.stringify(entry.unix)],
    ["other", JSON.stringify(old.unix) === JSON.stringify(entry.unix) && !sameBytes(old.taggedItems, entry.taggedItems)],
  ];
  return tests.filter(([, differs]) => differs).map(([what]) => what);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(b);
}
