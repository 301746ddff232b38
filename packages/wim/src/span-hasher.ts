import { createHash, type Hash } from "node:crypto";
import { headerSize } from "./header.ts";
import { integritySpan } from "./integrity.ts";

const zeros = Buffer.alloc(2 ** 20);

/**
 * Makes the digests of an integrity table while a file is written from its start to its end. Spans whose digest is known
 * are not hashed.
 */
export class SpanHasher {
  readonly digests: (Uint8Array | undefined)[] = [];
  /** Bytes that needed no hashing. */
  reused = 0;
  private position = headerSize;
  private hash: Hash | undefined;

  /** Gives a span its digest, before its first byte is fed. */
  know(span: number, digest: Uint8Array): void {
    this.digests[span] = digest;
    this.reused += integritySpan;
  }

  /** Feeds the bytes at the present position. */
  feed(bytes: Uint8Array): void {
    this.advance(bytes.length, (from, to) => this.update(bytes.subarray(from, to)));
  }

  /** Moves on over bytes that were not seen: they must lie in spans that are known. */
  skip(length: number): void {
    this.advance(length, () => {
      throw new Error("unhashed bytes in a span without a digest");
    });
  }

  /** Feeds a hole. */
  feedZeros(length: number): void {
    for (let left = length; left > 0; left -= zeros.length) this.feed(zeros.subarray(0, Math.min(left, zeros.length)));
  }

  /** All digests; the last span may be short. */
  finish(): Uint8Array[] {
    this.endSpan((this.position - headerSize) / integritySpan);
    return this.digests.map((digest) => digest ?? new Uint8Array(20));
  }

  /** Cuts `length` bytes at span borders and hands on the pieces that must be hashed. */
  private advance(length: number, piece: (from: number, to: number) => void): void {
    for (let done = 0; done < length; ) {
      const span = Math.floor((this.position - headerSize) / integritySpan);
      const step = Math.min(length - done, headerSize + (span + 1) * integritySpan - this.position);
      if (this.hash !== undefined || this.digests[span] === undefined) piece(done, done + step);
      this.position += step;
      done += step;
      if ((this.position - headerSize) % integritySpan === 0) this.endSpan(span);
    }
  }

  private update(bytes: Uint8Array): void {
    this.hash ??= createHash("sha1");
    this.hash.update(bytes);
  }

  private endSpan(span: number): void {
    if (this.hash === undefined) return;
    this.digests[Math.floor(span)] = this.hash.digest();
    this.hash = undefined;
  }
}
