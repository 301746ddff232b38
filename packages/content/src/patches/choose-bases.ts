import { parseChunkList } from "../chunking.ts";
import { chunkListsOf } from "../file-pieces.ts";
import type { ContentIndex, IndexFile } from "../schema.ts";

export interface DescribedVersion { index: ContentIndex; chunks: Buffer }
export interface PatchPair { from: IndexFile; to: IndexFile }

/**
 * For each new file the old one it is most like: the one that shares most bytes by chunks, or else the one of the same path, or else of
 * the same name and nearest length. Files that are in the old version already, and empty ones, need no patch.
 */
export function choosePatchBases(from: DescribedVersion, to: DescribedVersion): PatchPair[] {
  const old = from.index.files.filter((file) => file.size > 0);
  const held = new Set(old.map((file) => file.sha256));
  const byPath = new Map(old.map((file) => [file.path, file]));
  const byName = Map.groupBy(old, (file) => nameOf(file.path));
  const owners = chunkOwners(from);
  const lists = chunkListsOf(to.index, to.chunks);
  const chosen = new Map<string, PatchPair>();
  for (const file of to.index.files) {
    if (file.size === 0 || held.has(file.sha256) || chosen.has(file.sha256)) continue;
    const base = mostShared(lists.get(file.path), owners) ?? byPath.get(file.path) ?? nearest(byName.get(nameOf(file.path)), file.size);
    if (base !== undefined) chosen.set(file.sha256, { from: base, to: file });
  }
  return [...chosen.values()];
}

/** A chunk of zeros has ten thousand owners: a few are enough to find the file that is alike. */
const mostOwners = 8;

function chunkOwners({ index, chunks }: DescribedVersion): Map<string, IndexFile[]> {
  const byPath = new Map(index.files.map((file) => [file.path, file]));
  const owners = new Map<string, IndexFile[]>();
  for (const [path, list] of chunkListsOf(index, chunks)) {
    const file = byPath.get(path);
    if (file === undefined) continue;
    for (const { digest } of parseChunkList(list)) {
      const key = digest.toString("base64");
      const known = owners.get(key);
      if (known === undefined) owners.set(key, [file]);
      else if (known.length < mostOwners && known.at(-1) !== file) known.push(file);
    }
  }
  return owners;
}

function mostShared(list: Buffer | undefined, owners: ReadonlyMap<string, IndexFile[]>): IndexFile | undefined {
  if (list === undefined) return undefined;
  const shared = new Map<IndexFile, number>();
  for (const { digest, length } of parseChunkList(list)) {
    for (const owner of owners.get(digest.toString("base64")) ?? []) shared.set(owner, (shared.get(owner) ?? 0) + length);
  }
  return [...shared].sort(([a, x], [b, y]) => y - x || (a.path < b.path ? -1 : 1))[0]?.[0];
}

function nearest(files: readonly IndexFile[] | undefined, size: number): IndexFile | undefined {
  return files?.toSorted((a, b) => Math.abs(a.size - size) - Math.abs(b.size - size) || (a.path < b.path ? -1 : 1))[0];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
