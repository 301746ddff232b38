import { createHash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
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

/** index.json.zst: the index as it is fetched, a third of its size; half of what is left are hashes. The same bytes for the same index. */
export function packIndex(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}

/** @throws ContentError PRESTAGE_CONTENT_INDEX_MALFORMED where it is no zstd, or unpacks to more than an index may have */
export function unpackIndex(packed: Uint8Array): Buffer {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: maximumIndexBytes });
  } catch (cause) {
    throw new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", `Expected an index packed by zstd, of at most ${maximumIndexBytes} bytes; found: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Opens index.json as received: its SHA-256 must be `contentId`, its paths safe.
 * @throws ContentError PRESTAGE_CONTENT_INDEX_MALFORMED, PRESTAGE_CONTENT_PATH_UNSAFE
 */
export function openIndex(bytes: Uint8Array, contentId: string): ContentIndex {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== contentId) throw new ContentError("PRESTAGE_CONTENT_INDEX_MALFORMED", `Expected an index whose SHA-256 is ${contentId}; found ${found}. It was altered or belongs to other content.`);
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
  if (sha256 !== undefined && found !== sha256) throw new ContentError("PRESTAGE_CONTENT_STORAGE_MALFORMED", `Expected a storage map whose SHA-256 is ${sha256}; found ${found}.`);
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
