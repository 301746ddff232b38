import { parseChunkList } from "../description/chunking.ts";
import type { DescribedFile } from "./described-files.ts";

export interface PatchPair { from: DescribedFile; to: DescribedFile }

/**
 * For each new file the old one it is most like: the one that shares most bytes by chunks, or else the one of the same path, or else of
 * the same name and nearest length. Files that are in the old version already, and empty ones, need no patch.
 */
export function choosePatchBases(from: readonly DescribedFile[], to: readonly DescribedFile[]): PatchPair[] {
  const old = from.filter(({ file }) => file.size > 0);
  const held = new Set(old.map(({ file }) => file.sha256));
  const byPath = new Map(old.map((one) => [one.file.path, one]));
  const byName = Map.groupBy(old, ({ file }) => nameOf(file.path));
  const owners = chunkOwners(old);
  const chosen = new Map<string, PatchPair>();
  for (const one of to) {
    const { file, chunkList } = one;
    if (file.size === 0 || held.has(file.sha256) || chosen.has(file.sha256)) continue;
    const base = mostShared(chunkList, owners) ?? byPath.get(file.path) ?? nearest(byName.get(nameOf(file.path)), file.size);
    if (base !== undefined) chosen.set(file.sha256, { from: base, to: one });
  }
  return [...chosen.values()];
}

/** A chunk of zeros has ten thousand owners: a few are enough to find the file that is alike. */
const mostOwners = 8;

function chunkOwners(files: readonly DescribedFile[]): Map<string, DescribedFile[]> {
  const owners = new Map<string, DescribedFile[]>();
  for (const one of files) {
    if (one.chunkList === undefined) continue;
    for (const { digest } of parseChunkList(one.chunkList)) {
      const key = digest.toString("base64");
      const known = owners.get(key);
      if (known === undefined) owners.set(key, [one]);
      else if (known.length < mostOwners && known.at(-1) !== one) known.push(one);
    }
  }
  return owners;
}

function mostShared(list: Buffer | undefined, owners: ReadonlyMap<string, DescribedFile[]>): DescribedFile | undefined {
  if (list === undefined) return undefined;
  const shared = new Map<DescribedFile, number>();
  for (const { digest, length } of parseChunkList(list)) {
    for (const owner of owners.get(digest.toString("base64")) ?? []) shared.set(owner, (shared.get(owner) ?? 0) + length);
  }
  return [...shared].sort(([a, x], [b, y]) => y - x || (a.file.path < b.file.path ? -1 : 1))[0]?.[0];
}

function nearest(files: readonly DescribedFile[] | undefined, size: number): DescribedFile | undefined {
  return files?.toSorted((a, b) => Math.abs(a.file.size - size) - Math.abs(b.file.size - size) || (a.file.path < b.file.path ? -1 : 1))[0];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
