import { createHash, hash } from "node:crypto";

/**
 * Content-defined chunking of uncompressed bytes, `prestage-gear-32k-v1`:
 * a gear hash (one table look-up and one shift per byte), minimum 8 KiB, average 32 KiB, maximum 128 KiB.
 * A cut depends on the last 32 bytes only, so an insertion moves no chunk beyond its neighbours.
 */
const minimum = 8 * 1024;
const normal = 32 * 1024;
export const longestChunk = 128 * 1024;
const maximum = longestChunk;
/** Stricter before the average size and looser after it (normalised chunking): 2^17 and 2^13 on average. */
const maskBefore = 0xffff8000 | 0;
const maskAfter = 0xfff80000 | 0;

/** 256 pseudo-random 32-bit words: the first four bytes, little-endian, of SHA-256 of the byte's value. */
const gear = Int32Array.from({ length: 256 }, (_, byte) => createHash("sha256").update(Uint8Array.of(byte)).digest().readInt32LE(0));

/** A record in a chunk list: u32 length (little-endian), then the first 16 bytes of the chunk's SHA-256. */
export const chunkRecordSize = 20;

/** Cuts a stream of bytes into chunks and keeps their list. */
export class ChunkList {
  #records: Buffer[] = [];
  #pending = Buffer.alloc(maximum);
  #pendingLength = 0;

  /** Adds bytes in order. */
  update(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const take = Math.min(bytes.length - offset, maximum - this.#pendingLength);
      this.#pending.set(bytes.subarray(offset, offset + take), this.#pendingLength);
      this.#pendingLength += take;
      offset += take;
      if (this.#pendingLength === maximum) this.#cut(false);
    }
  }

  /** The list's bytes: records in file order. The object is used up. */
  digest(): Buffer {
    while (this.#pendingLength > 0) this.#cut(true);
    return Buffer.concat(this.#records);
  }

  #cut(last: boolean): void {
    const length = cutPoint(this.#pending, this.#pendingLength, last);
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
function cutPoint(bytes: Uint8Array, length: number, last: boolean): number {
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
