import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chunkRecordSize, chunkingOf } from "../description/chunking.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { describeBytes } from "../import/describe-bytes.ts";
import { ContentError } from "../error.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import { chunkListOffsets } from "../description/index-document.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import { ResumingReader } from "./resuming-reader.ts";
import type { ContentIndex, IndexFile } from "../description/schema.ts";
import { requestCost } from "../description/stored-ranges.ts";

/**
 * Fetches the chunk lists of some of a version's files, by ranges of chunks.bin; each is checked by the hash its index names.
 * Returns them by path, and the bytes fetched.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED
 */
export async function fetchChunkLists(sources: readonly ContentSource[], contentId: string, index: ContentIndex, files: readonly IndexFile[], options: FetchOptions = {}): Promise<{ lists: Map<string, Buffer>; bytes: number }> {
  const places = placesOf(index, files);
  const lists = new Map<string, Buffer>();
  let bytes = 0;
  for (let first = 0; first < places.length; ) {
    let next = first + 1;
    while (next < places.length && (places[next]?.start ?? 0) - (places[next - 1]?.end ?? 0) < requestCost) next++;
    const run = places.slice(first, next);
    bytes += await fetchRun(sources, contentId, run, lists, options);
    first = next;
  }
  return { lists, bytes };
}

interface ListPlace { file: IndexFile; start: number; end: number }

function placesOf(index: ContentIndex, files: readonly IndexFile[]): ListPlace[] {
  const offsets = chunkListOffsets(index);
  const places = files.flatMap((file) => (file.chunks === undefined ? [] : [{ file, start: offsets.get(file) ?? 0, end: (offsets.get(file) ?? 0) + file.chunks.count * chunkRecordSize }]));
  return places.sort((a, b) => a.start - b.start);
}

/** What `fetchChunkLists` would fetch, with the gaps that are fetched along. */
export function listBytes(index: ContentIndex, files: readonly IndexFile[]): number {
  const places = placesOf(index, files);
  return places.reduce((sum, place, i) => sum + place.end - (i > 0 && place.start - (places[i - 1]?.end ?? 0) < requestCost ? (places[i - 1]?.end ?? 0) : place.start), 0);
}

async function fetchRun(sources: readonly ContentSource[], contentId: string, run: readonly ListPlace[], lists: Map<string, Buffer>, options: FetchOptions): Promise<number> {
  const [start, end] = [run[0]?.start ?? 0, run.at(-1)?.end ?? 0];
  for (let usable = [...sources]; ; ) {
    const reader = new ResumingReader(usable, contentId, "chunks.bin", { start, end }, options, () => undefined);
    try {
      const bytes = Buffer.from(await reader.read(end - start));
      const wrong = run.find((place) => sha256(bytes.subarray(place.start - start, place.end - start)) !== place.file.chunks?.sha256);
      if (wrong === undefined) {
        for (const place of run) lists.set(place.file.path, bytes.subarray(place.start - start, place.end - start));
        return end - start;
      }
      const reason = `the chunk list of ${JSON.stringify(wrong.file.path)} arrived altered`;
      options.onSourceFailed?.({ source: reader.sourceName, reason, round: 1 });
      usable = usable.filter((source) => source.name !== reader.sourceName);
      if (usable.length === 0) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected correct bytes from ${sources.length} distribution point(s); ${reason}. Validate the content at the site.`);
    } finally {
      await reader.close();
    }
  }
}

/**
 * Makes chunks.bin of a version that is whole on the disk, by reading its files: nobody needs to send what can be reckoned.
 * Lists of other versions serve for files that are the same. Undefined where a file is not what the index says.
 */
export async function deriveChunkLists(cache: LocalCache, contentId: string, index: ContentIndex, otherContentIds: readonly string[], signal?: AbortSignal): Promise<Buffer | undefined> {
  if (index.shape !== "files") return undefined;
  const known = await listsByHash(cache, otherContentIds, new Set(index.files.flatMap(({ chunks }) => (chunks === undefined ? [] : [chunks.sha256]))));
  const lists: Buffer[] = [];
  for (const file of index.files) {
    signal?.throwIfAborted();
    if (file.chunks === undefined) continue;
    let list = known.get(file.chunks.sha256);
    if (list === undefined) {
      const described = await describeBytes(file.size, createReadStream(cache.filePath(contentId, file.path), { highWaterMark: 1 << 20 }), { chunks: chunkingOf(index) }).catch(() => undefined);
      if (described?.file.chunks?.sha256 !== file.chunks.sha256) return undefined;
      list = described.chunkList;
      known.set(file.chunks.sha256, list);
    }
    lists.push(list);
  }
  return Buffer.concat(lists);
}

async function listsByHash(cache: LocalCache, contentIds: readonly string[], wanted: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const known = new Map<string, Buffer>();
  for (const id of contentIds) {
    const index = await cache.readIndex(id);
    if (index?.files.some((file) => file.chunks !== undefined && wanted.has(file.chunks.sha256)) !== true) continue;
    const chunks = await cache.readChunks(id, index);
    if (chunks === undefined) continue;
    for (const list of chunkListsOf(index, chunks).values()) known.set(sha256(list), list);
  }
  return known;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
