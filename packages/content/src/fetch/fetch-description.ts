import type { ContentSource, FetchOptions } from "./content-source.ts";
import { ContentError } from "../error.ts";
import { checkChunkLists, chunkListBytes, openIndex, openStorageMap, packedSlack, unpackIndex, unpackStorageMap } from "../description/index-document.ts";
import { ResumingReader } from "./resuming-reader.ts";
import type { ContentIndex, StorageMap } from "../description/schema.ts";
import { wholeWimAsStoredFile } from "../description/storage-map.ts";

/** What a version is and where its bytes lie: its index, its chunk lists (chunks.bin; or those that matter, by path), its storage map. */
export interface VersionDescription { index: ContentIndex; chunks: Buffer; storage: StorageMap; lists?: ReadonlyMap<string, Buffer> }
export interface FetchedDescription extends VersionDescription { indexBytes: Uint8Array }

/** The largest index or storage map taken from a distribution point where nobody says how large it is. */
const maximumDescriptionBytes = 256 * 1024 * 1024;

/** Sizes the signed policy names, in bytes: of index.json, and of storage.json. A distribution point that sends more is given up at once. */
export interface DescriptionSizes { indexBytes?: number | undefined; storageBytes?: number | undefined }

/**
 * Fetches a version's index, chunk lists and storage map, but for what the disk holds of them. Each is bound: the index by the
 * content id, the lists by the index, the map by the hash in the signed policy.
 * @throws ContentError
 */
export async function fetchDescription(sources: readonly ContentSource[], contentId: string, storageSha256: string, options: FetchOptions = {}): Promise<FetchedDescription> {
  const { index, indexBytes } = await fetchIndex(sources, contentId, options);
  return { indexBytes, ...(await completeDescription(sources, contentId, storageSha256, { index }, options)) };
}

/** Fetches a version's index: packed, or, where nobody has it so, as it is. `fetched`: what it cost. @throws ContentError */
export async function fetchIndex(sources: readonly ContentSource[], contentId: string, options: FetchOptions = {}, { indexBytes: limit = maximumDescriptionBytes }: DescriptionSizes = {}): Promise<{ index: ContentIndex; indexBytes: Buffer; fetched: number }> {
  const open = (indexBytes: Buffer) => ({ index: openIndex(indexBytes, contentId), indexBytes });
  const packed = await fetchPacked(sources, contentId, "index.json.zst", async (bytes) => open(await unpackIndex(bytes, contentId, limit)), limit, options);
  if (packed !== undefined) return { ...packed.value, fetched: packed.bytes.length };
  const { value, bytes } = await fetchWhole(sources, contentId, "index.json", open, { ...options, limit });
  return { ...value, fetched: bytes.length };
}

/** Undefined where nobody sends it right; not told: a distribution point may hold it unpacked alone. */
async function fetchPacked<T>(sources: readonly ContentSource[], contentId: string, file: string, check: (bytes: Buffer) => Promise<T>, limit: number, { signal }: FetchOptions): Promise<{ value: T; bytes: Buffer } | undefined> {
  const packed = await fetchWhole(sources, contentId, file, check, { rounds: 1, ...(signal && { signal }), limit: limit + packedSlack }).catch(() => undefined);
  signal?.throwIfAborted();
  return packed;
}

/**
 * The same where the disk holds a good index, and perhaps good chunk lists too: fetches only the rest. Where nobody names the storage
 * map's hash (no policy: a disk on the shelf) any sound map is taken; what comes by it is checked against the index all the same.
 * @throws ContentError
 */
export async function completeDescription(sources: readonly ContentSource[], contentId: string, storageSha256: string | undefined, held: { index: ContentIndex; chunks?: Buffer | undefined }, options: FetchOptions = {}): Promise<VersionDescription> {
  const { index } = held;
  const { storage } = await fetchStorageMap(sources, contentId, index, storageSha256, options);
  const chunks = held.chunks ?? (await fetchWhole(sources, contentId, "chunks.bin", (bytes) => checkChunkLists(index, bytes), { ...options, limit: chunkListBytes(index) })).bytes;
  return { index, chunks, storage };
}

/** A version's storage map and what it cost; an image's needs no fetching, as the stored WIM is the file itself. @throws ContentError */
export async function fetchStorageMap(sources: readonly ContentSource[], contentId: string, index: ContentIndex, sha256: string | undefined, options: FetchOptions = {}, { storageBytes: limit = maximumDescriptionBytes }: DescriptionSizes = {}): Promise<{ storage: StorageMap; bytes: number }> {
  const [image] = index.files;
  if (index.shape === "image" && image !== undefined) return { storage: { format: "prestage-storage-v1", wimSize: image.size, wimSha256: image.sha256, files: [wholeWimAsStoredFile(image.size)] }, bytes: 0 };
  // Without its hash nothing is unpacked: it could unpack to anything.
  const packed = sha256 === undefined ? undefined : await fetchPacked(sources, contentId, "storage.json.zst", async (received) => openStorageMap(await unpackStorageMap(received, sha256, limit), sha256), limit, options);
  if (packed !== undefined) return { storage: packed.value, bytes: packed.bytes.length };
  const { value, bytes } = await fetchWhole(sources, contentId, "storage.json", (received) => openStorageMap(received, sha256), { ...options, limit });
  return { storage: value, bytes: bytes.length };
}

/** Fetches a small file whole; a source whose bytes are wrong, or more than `limit`, is passed over. */
export async function fetchWhole<T>(sources: readonly ContentSource[], contentId: string, file: string, check: (bytes: Buffer) => T | Promise<T>, options: FetchOptions & { limit: number }): Promise<{ value: T; bytes: Buffer }> {
  if (sources.length === 0) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected a distribution point for ${file} of content ${contentId}; none is known. Name one at the site or on the media.`);
  let last: unknown;
  const checked: ContentSource = {
    name: "all",
    open: async (id, name, _range, signal) => {
      for (const source of sources) {
        try {
          const parts: Uint8Array[] = [];
          let size = 0;
          for await (const part of await source.open(id, name, { start: 0 }, signal)) {
            if ((size += part.length) > options.limit) throw new RangeError(`${name} has more than ${options.limit} bytes`);
            parts.push(part);
          }
          const bytes = Buffer.concat(parts);
          value = { value: await check(bytes), bytes };
          return (async function* () {
            yield Uint8Array.of(0);
          })();
        } catch (cause) {
          last = cause;
          signal.throwIfAborted();
          options.onSourceFailed?.({ source: source.name, reason: cause instanceof Error ? cause.message : String(cause), round: 1 });
        }
      }
      throw last instanceof Error ? last : new Error("no distribution point is known");
    },
  };
  let value: { value: T; bytes: Buffer } | undefined;
  const { onSourceFailed: _, ...quiet } = options;
  await new ResumingReader([checked], contentId, file, { start: 0, end: 1 }, quiet, () => undefined).read(1);
  if (value === undefined) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected ${file} of content ${contentId}; found none.`, { cause: last });
  return value;
}
