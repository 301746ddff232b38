import { hash } from "node:crypto";
import { pieceSize } from "./piece-layout.ts";
import type { PieceRecord } from "./piece-layout.ts";

/**
 * The rolling hash of a piece: the sum of (byte + 1) x factor^k, k from the last byte back, modulo 2^32. Moving it on by a byte is two multiplications.
 */
const factor = 0x9e3779b1 | 0;
const factorOfFirst = Array.from({ length: pieceSize }).reduce((product: number) => Math.imul(product, factor), 1);

export function rollingHash(bytes: Uint8Array, at = 0): number {
  let sum = 0;
  for (let i = at; i < at + pieceSize; i++) sum = (Math.imul(sum, factor) + bytes[i]! + 1) | 0;
  return sum >>> 0;
}

/** The first two bytes of the SHA-256. */
export function pieceCheck(bytes: Uint8Array): number {
  return hash("sha256", bytes, "buffer").readUInt16LE(0);
}

/**
 * So often the rolling hash of a place may fit and its check not. By chance it does some 200,000 times in what is searched at most, for the most pieces there
 * are; lists made to fit everywhere, which nothing binds, would cost an hour.
 */
const mostMisses = 2 ** 21;

/** A bit for each value of the high bits of the hash, mixed: nearly all places of the old data are passed over by it. */
const filterBits = 22;

function filterBit(rolling: number): number {
  const mixed = Math.imul(rolling ^ (rolling >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> (32 - filterBits);
}

/** Looks for pieces in old data, at every byte. What is found has the hashes of the piece: most likely, not surely, its bytes. */
export class PieceSearch<T extends Pick<PieceRecord, "rolling" | "check" | "length">> {
  /** By rolling hash, then by check. */
  readonly #wanted = new Map<number, Map<number, T[]>>();
  #misses = 0;
  readonly #filter = new Uint8Array(2 ** (filterBits - 3));

  /** A piece that is shorter than the others, at a file's end, is not looked for. */
  add(piece: T): void {
    if (piece.length !== pieceSize) return;
    const checks = this.#wanted.get(piece.rolling) ?? new Map<number, T[]>();
    const alike = checks.get(piece.check);
    if (alike === undefined) checks.set(piece.check, [piece]);
    else alike.push(piece);
    this.#wanted.set(piece.rolling, checks);
    const bit = filterBit(piece.rolling);
    this.#filter[bit >> 3]! |= 1 << (bit & 7);
  }

  /** Nothing is left to look for. */
  get isEmpty(): boolean {
    return this.#wanted.size === 0;
  }

  /** Reads the data once. Each piece is told where it was found first, and not looked for any more. */
  async scan(data: AsyncIterable<Uint8Array>, onFound: (piece: T, offset: number) => void, signal?: AbortSignal): Promise<void> {
    let held: Buffer = Buffer.alloc(0);
    let offset = 0;
    for await (const bytes of data) {
      signal?.throwIfAborted();
      if (this.isEmpty) return;
      held = held.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([held, bytes]);
      const next = this.#scanBytes(held, offset, onFound);
      held = Buffer.from(held.subarray(next));
      offset += next;
    }
  }

  /** Returns from where on the bytes have to be looked at again, with those that follow. */
  #scanBytes(bytes: Uint8Array, offset: number, onFound: (piece: T, offset: number) => void): number {
    const last = bytes.length - pieceSize;
    if (last < 0) return 0;
    const filter = this.#filter;
    let sum = rollingHash(bytes) | 0;
    for (let i = 0; ; i++) {
      const bit = filterBit(sum);
      if (((filter[bit >> 3]! >> (bit & 7)) & 1) !== 0 && this.#found(bytes, i, sum >>> 0, offset, onFound)) {
        i += pieceSize;
        if (i > last) return i;
        sum = rollingHash(bytes, i) | 0;
        i--;
        continue;
      }
      if (i >= last) return i + 1;
      sum = (Math.imul(sum, factor) + bytes[i + pieceSize]! + 1 - Math.imul(factorOfFirst, bytes[i]! + 1)) | 0;
    }
  }

  #found(bytes: Uint8Array, at: number, rolling: number, offset: number, onFound: (piece: T, offset: number) => void): boolean {
    const checks = this.#wanted.get(rolling);
    if (checks === undefined) return false;
    const check = pieceCheck(bytes.subarray(at, at + pieceSize));
    const found = checks.get(check);
    if (found === undefined) {
      if (++this.#misses > mostMisses) this.#wanted.clear();
      return false;
    }
    if (checks.size === 1) this.#wanted.delete(rolling);
    else checks.delete(check);
    for (const piece of found) onFound(piece, offset + at);
    return true;
  }
}
