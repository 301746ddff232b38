import { createHash } from "node:crypto";
import { constants, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { canonicalJson } from "@prestage/trust";
import { z } from "zod";
import { chunkRecordSize } from "./chunking.ts";
import { ContentError } from "../error.ts";
import { checkTree } from "./relative-path.ts";
import { contentIndexSchema, storageMapSchema } from "./schema.ts";
import type { ContentIndex, IndexFile, StorageMap } from "./schema.ts";

/** Larger index or storage files are refused before they are parsed. */
const maximumIndexBytes = 512 * 1024 * 1024;

export interface EncodedIndex { bytes: Buffer; contentId: string }

/** The bytes of index.json and the content id, which is their SHA-256. */
export function encodeIndex(index: ContentIndex): EncodedIndex {
  const bytes = canonicalJson(index);
  return { bytes, contentId: createHash("sha256").update(bytes).digest("hex") };
}

/** index.json.zst or storage.json.zst: the JSON as it is fetched. An index is a third of its size, half of it hashes; a map a tenth. The same bytes for the same JSON. */
export function packJson(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}

/** What packing may add to an index that does not shrink. */
export const packedSlack = 1024;
/** A window of 16 MiB, more than ours need: what comes from elsewhere cannot ask for more. */
const windowLogMax = 24;

/**
 * Unpacks index.json.zst as received. It is hashed while it is unpacked the first time, and held only when its SHA-256 is `contentId`: whatever a
 * distribution point sends costs no memory. `limit`: bytes it may unpack to.
 * @throws ContentError PRESTAGE_CONTENT_INDEX_MALFORMED
 */
export async function unpackIndex(packed: Uint8Array, contentId: string, limit = maximumIndexBytes): Promise<Buffer> {
  return unpack(packed, limit, "PRESTAGE_CONTENT_INDEX_MALFORMED", (found) => (found === contentId ? undefined : otherIndex(contentId, found)));
}

/** The same of storage.json.zst, by the hash the signed policy names. @throws ContentError PRESTAGE_CONTENT_STORAGE_MALFORMED */
export async function unpackStorageMap(packed: Uint8Array, sha256: string, limit = maximumIndexBytes): Promise<Buffer> {
  return unpack(packed, limit, "PRESTAGE_CONTENT_STORAGE_MALFORMED", (found) => (found === sha256 ? undefined : otherMap(sha256, found)));
}

async function unpack(packed: Uint8Array, limit: number, code: "PRESTAGE_CONTENT_INDEX_MALFORMED" | "PRESTAGE_CONTENT_STORAGE_MALFORMED", faultOf: (sha256: string) => ContentError | undefined): Promise<Buffer> {
  const hash = createHash("sha256");
  let size = 0;
  const decoder = createZstdDecompress({ chunkSize: 1 << 18, params: { [constants.ZSTD_d_windowLogMax]: windowLogMax } });
  decoder.end(packed);
  try {
    for await (const bytes of decoder as AsyncIterable<Buffer>) {
      if ((size += bytes.length) > limit) throw new RangeError("more bytes than that");
      hash.update(bytes);
    }
  } catch (cause) {
    throw new ContentError(code, `Expected JSON packed by zstd, of at most ${limit} bytes; found: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  } finally {
    decoder.destroy();
  }
  const fault = faultOf(hash.digest("hex"));
  if (fault !== undefined) throw fault;
  return zstdDecompressSync(packed, { maxOutputLength: Math.max(1, size) });
}

function otherIndex(contentId: string, found: string): ContentError {
  return new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", `Expected an index whose SHA-256 is ${contentId}; found ${found}. It was altered or belongs to other content.`);
}

function otherMap(sha256: string, found: string): ContentError {
  return new ContentError("PRESTAGE_CONTENT_STORAGE_MALFORMED", `Expected a storage map whose SHA-256 is ${sha256}; found ${found}.`);
}

/**
 * Opens index.json as received: its SHA-256 must be `contentId`, its paths safe.
 * @throws ContentError PRESTAGE_CONTENT_INDEX_MALFORMED, PRESTAGE_CONTENT_PATH_UNSAFE
 */
export function openIndex(bytes: Uint8Array, contentId: string): ContentIndex {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== contentId) throw otherIndex(contentId, found);
  const index = parse(contentIndexSchema, bytes, "PRESTAGE_CONTENT_INDEX_MALFORMED", "index");
  checkTree(index.files.map((file) => file.path), index.directories);
  if (index.shape === "image" && (index.files.length !== 1 || index.files[0]?.path !== "image.wim" || index.directories.length > 0)) {
    throw new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", "Expected an image's index to hold the one file image.wim; found another tree.");
  }
  return index;
}

/** Opens storage.json; `sha256` is the hash the signed policy names, where there is one. @throws ContentError PRESTAGE_CONTENT_STORAGE_MALFORMED */
export function openStorageMap(bytes: Uint8Array, sha256: string | undefined): StorageMap {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== undefined && found !== sha256) throw otherMap(sha256, found);
  const map = parse(storageMapSchema, bytes, "PRESTAGE_CONTENT_STORAGE_MALFORMED", "storage map");
  for (const file of map.files) checkStoredFile(file, map.wimSize);
  return map;
}

/** Where each file's chunk list begins in chunks.bin, by file object. The lists of `files` come first, then those of each image. */
export function chunkListOffsets(index: ContentIndex): Map<IndexFile, number> {
  const offsets = new Map<IndexFile, number>();
  let at = 0;
  for (const file of [...index.files, ...(index.images ?? []).flatMap((image) => image.files)]) {
    if (file.chunks === undefined) continue;
    offsets.set(file, at);
    at += file.chunks.count * chunkRecordSize;
  }
  return offsets;
}

/** Bytes of chunks.bin. */
export function chunkListBytes(index: ContentIndex): number {
  return [...index.files, ...(index.images ?? []).flatMap((image) => image.files)].reduce((sum, file) => sum + (file.chunks?.count ?? 0) * chunkRecordSize, 0);
}

/**
 * Checks chunks.bin against its index: every list has the hash the index names, and nothing follows the last.
 * @throws ContentError PRESTAGE_CONTENT_INDEX_MALFORMED
 */
export function checkChunkLists(index: ContentIndex, bytes: Buffer): void {
  let end = 0;
  for (const [file, offset] of chunkListOffsets(index)) {
    end = offset + (file.chunks?.count ?? 0) * chunkRecordSize;
    if (createHash("sha256").update(bytes.subarray(offset, end)).digest("hex") !== file.chunks?.sha256) {
      throw new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", `Expected the chunk list of ${JSON.stringify(file.path)} to have the hash its index names; it has not. chunks.bin was altered.`);
    }
  }
  if (bytes.length !== end) throw new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", `Expected chunks.bin with ${end} bytes; found ${bytes.length}.`);
}

function checkStoredFile(file: StorageMap["files"][number], wimSize: number): void {
  const wrong = (found: string) => new ContentError("PRESTAGE_CONTENT_STORAGE_MALFORMED", `Expected ${JSON.stringify(file.path)} to lie inside the stored WIM in whole chunks; found ${found}.`);
  if (file.offset + file.storedSize > wimSize) throw wrong(`bytes ${file.offset} to ${file.offset + file.storedSize} of ${wimSize}`);
  if (file.compression === "none") {
    if (file.storedSize !== file.size || file.tableSize !== 0) throw wrong("an uncompressed file of another stored size");
    return;
  }
  const stored = file.chunkSizes.reduce((sum, size) => sum + size, file.tableSize);
  if (file.chunkSizes.length !== Math.ceil(file.size / file.chunkSize) || stored !== file.storedSize) throw wrong(`${file.chunkSizes.length} chunks of ${stored} bytes in all`);
  const long = file.chunkSizes.find((size) => size > file.chunkSize);
  if (long !== undefined) throw wrong(`a chunk of ${long} bytes for ${file.chunkSize}`);
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, code: "PRESTAGE_CONTENT_INDEX_MALFORMED" | "PRESTAGE_CONTENT_STORAGE_MALFORMED", what: string): T {
  if (bytes.byteLength > maximumIndexBytes) throw new ContentError(code, `Expected a ${what} of at most ${maximumIndexBytes} bytes; found ${bytes.byteLength}.`);
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    const found = cause instanceof z.ZodError ? z.prettifyError(cause) : "bytes that are not JSON";
    throw new ContentError(code, `Expected a content ${what} of format version 1; found: ${found}`, { cause });
  }
}
