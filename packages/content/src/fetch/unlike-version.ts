import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { filesInside } from "../cache/held-images.ts";
import { parseChunkList } from "../description/chunking.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import { costOf, planStoredRanges, requestCost } from "../description/stored-ranges.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { listBytes } from "./chunk-lists.ts";
import { chunksOf } from "./paper-chunks.ts";
import { distinct, placeOf, storedPlaces } from "./paper-places.ts";

/** Where a computer can fetch pieces, it finds more than whole chunks once so much of the new files is known. */
const worthLooking = 0.03;

/** Every chunk of these lists. */
export function digestsIn(lists: Iterable<Buffer>): Set<string> {
  const digests = new Set<string>();
  for (const list of lists) for (const { digest } of parseChunkList(list)) digests.add(digest.toString("base64"));
  return digests;
}

/**
 * Whether content of another object has parts of the files of a version that it does not have whole: a file of the same name, and enough of its chunks that
 * their lists are worth asking for. A program that became two, or was packed anew under another name.
 */
export async function isRelated(wanted: StoredVersion, other: StoredVersion): Promise<boolean> {
  if (wanted.index.shape !== "files" || wanted.index.chunking !== other.index.chunking) return false;
  const files = filesInside(other.index);
  const names = new Set(files.filter((file) => file.chunks !== undefined).map((file) => basename(file.path)));
  const same = new Set(files.map((file) => file.sha256));
  if (!wanted.index.files.some((file) => file.chunks !== undefined && names.has(basename(file.path)) && !same.has(file.sha256))) return false;
  return !(await savesLittle(wanted, same, (asked) => chunksOf([], wanted.index, [other], asked), false));
}

/**
 * Whether an older version has so little of a newer one's chunks that the lists a computer would fetch to find them cost it more than they save:
 * programs that are compressed inside, as a rule. Said of trees of files alone; the files both have are not asked about.
 * `pieces`: the newer one has a pack of them.
 */
export async function isUnlike(wanted: StoredVersion, older: StoredVersion, pieces: boolean): Promise<boolean> {
  // Another chunking would have to be read through; an image's lists are fetched in any case.
  if (wanted.index.shape !== "files" || older.index.shape !== "files" || wanted.index.chunking !== older.index.chunking) return false;
  const same = new Set(older.index.files.map((file) => file.sha256));
  return savesLittle(wanted, same, (asked) => chunksOf([older], wanted.index, [], asked), pieces);
}

/** `same`: SHA-256 of the files that are there whole. `chunksThere`: which of the chunks asked for are. */
async function savesLittle(wanted: StoredVersion, same: ReadonlySet<string>, chunksThere: (asked: ReadonlySet<string>) => Promise<Set<string>>, pieces: boolean): Promise<boolean> {
  const left = distinct(wanted.index.files.filter((file) => file.size > 0 && !same.has(file.sha256)));
  const lists = listBytes(wanted.index, [...left.values()].flat());
  if (lists === 0) return false;
  const [stored, chunkLists] = [await storedPlaces(wanted), chunkListsOf(wanted.index, await readFile(join(wanted.folder, "chunks.bin")))];
  const chunks = await chunksThere(digestsIn(chunkLists.values()));
  const places = [...left.values()].map((twins) => placeOf(twins, stored, chunkLists, chunks));
  const known = places.reduce((sum, { stored, missing }) => sum + (missing === undefined ? 0 : stored.size - missing.reduce((bytes, { length }) => bytes + length, 0)), 0);
  if (pieces && known >= worthLooking * places.reduce((sum, { stored }) => sum + stored.size, 0)) return false;
  const saved = places.reduce((sum, { stored, missing }) => sum + Math.max(0, missing === undefined ? 0 : stored.storedSize - costOf(planStoredRanges(stored, missing))), 0);
  return saved < lists + requestCost;
}
