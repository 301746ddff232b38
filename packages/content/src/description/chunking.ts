import { createHash, hash } from "node:crypto";
import type { ChunkingName, ContentIndex, IndexFile } from "./schema.ts";
import { largeFileChunking } from "./schema.ts";

/**
 * Content-defined chunking of uncompressed bytes: a gear hash (one table look-up and one shift per byte). A cut depends on the last 32 bytes only, so
 * an insertion moves no chunk beyond its neighbours. Sizes in bytes: of chunks, and of the files that are cut at all. The masks are stricter before the
 * normal size and looser after it (normalised chunking): a cut every four times, and every quarter of, the normal size.
 */
export interface Chunking { minimum: number; normal: number; maximum: number; maskBefore: number; maskAfter: number; above: number }
export const chunkings: Readonly<Record<ChunkingName, Chunking>> = {
  "prestage-gear-8k-v1": { minimum: 2048, normal: 8192, maximum: 32_768, maskBefore: 0xfffe0000 | 0, maskAfter: 0xffe00000 | 0, above: 65_536 },
  "prestage-gear-32k-v1": { minimum: 8192, normal: 32_768, maximum: 131_072, maskBefore: 0xffff8000 | 0, maskAfter: 0xfff80000 | 0, above: 262_144 },
};
export const longestChunk = 131_072;

/** How a file of a version is cut. */
export function chunkingOf(index: Pick<ContentIndex, "shape" | "chunking" | "files">, file?: IndexFile): ChunkingName {
  return index.shape === "image" && (file === undefined || index.files[0] === file) ? largeFileChunking : index.chunking;
}


/** 256 pseudo-random 32-bit words: the first four bytes, little-endian, of SHA-256 of the byte's value. */
const gear = Int32Array.from({ length: 256 }, (_, byte) => createHash("sha256").update(Uint8Array.of(byte)).digest().readInt32LE(0));

/** A record in a chunk list: u32 length (little-endian), then the first 16 bytes of the chunk's SHA-256. */
export const chunkRecordSize = 20;

/** Cuts a stream of bytes into chunks and keeps their list. */
export class ChunkList {
  readonly #chunking: Chunking;
  readonly #records: Buffer[] = [];
  readonly #pending: Buffer;
  #pendingLength = 0;

  constructor(name: ChunkingName) {
    this.#chunking = chunkings[name];
    this.#pending = Buffer.alloc(this.#chunking.maximum);
  }

  /** Adds bytes in order. */
  update(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const take = Math.min(bytes.length - offset, this.#pending.length - this.#pendingLength);
      this.#pending.set(bytes.subarray(offset, offset + take), this.#pendingLength);
      this.#pendingLength += take;
      offset += take;
      if (this.#pendingLength === this.#pending.length) this.#cut(false);
    }
  }

  /** The list's bytes: records in file order. The object is used up. */
  digest(): Buffer {
    while (this.#pendingLength > 0) this.#cut(true);
    return Buffer.concat(this.#records);
  }

  #cut(last: boolean): void {
    const length = cutPoint(this.#chunking, this.#pending, this.#pendingLength, last);
    this.#records.push(chunkRecord(this.#pending.subarray(0, length)));
    this.#pending.copyWithin(0, length, this.#pendingLength);
    this.#pendingLength -= length;
  }
}

export function chunkRecord(chunk: Uint8Array): Buffer {
  const record = Buffer.alloc(chunkRecordSize);
  record.writeUInt32LE(chunk.length, 0);
  hash("sha256", chunk, "buffer").copy(record, 4, 0, 16);
  return record;
}

/** The length of the first chunk in `bytes[0, length)`; called with a full buffer, or with the file's end (`last`). */
function cutPoint({ minimum, normal, maximum, maskBefore, maskAfter }: Chunking, bytes: Uint8Array, length: number, last: boolean): number {
  if (length <= minimum) return length;
  let fingerprint = 0;
  const middle = Math.min(normal, length);
  let i = minimum;
  for (; i < middle; i++) {
    fingerprint = ((fingerprint << 1) + gear[bytes[i] ?? 0]!) | 0;
    if ((fingerprint & maskBefore) === 0) return i + 1;
  }
  for (; i < length; i++) {
    fingerprint = ((fingerprint << 1) + gear[bytes[i] ?? 0]!) | 0;
    if ((fingerprint & maskAfter) === 0) return i + 1;
  }
  return last ? length : maximum;
}

/** One chunk of a list: bytes [offset, offset + length) of the file. `digest` is 16 bytes. */
export interface Chunk { offset: number; length: number; digest: Buffer }

/** Reads a chunk list; the caller has checked its SHA-256. */
export function parseChunkList(list: Uint8Array): Chunk[] {
  const view = Buffer.from(list.buffer, list.byteOffset, list.byteLength);
  const chunks: Chunk[] = [];
  let offset = 0;
  for (let at = 0; at + chunkRecordSize <= view.length; at += chunkRecordSize) {
    const length = view.readUInt32LE(at);
    chunks.push({ offset, length, digest: view.subarray(at + 4, at + chunkRecordSize) });
    offset += length;
  }
  return chunks;
}
