import { setTimeout as delay } from "node:timers/promises";
import { RangesIgnored } from "./content-source.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { ContentError } from "../error.ts";

/** A connection that broke after fewer bytes than this counts as a failure: a source that trickles must not hold a device for ever. */
const worthAnotherTry = 64 * 1024;

/** Told once, when it was found out: from then on the source is passed over in silence. */
class KnownWithoutRanges extends RangesIgnored {}

/**
 * Reads a range of a content's file in order, from the sources in turn: where one fails or breaks off, the next
 * goes on at the same byte. Only when all failed in every round does it give up.
 */
export class ResumingReader {
  private readonly sources: readonly ContentSource[];
  private readonly contentId: string;
  private readonly file: string;
  private readonly range: { start: number; end: number };
  private readonly options: FetchOptions;
  private readonly onBytes: (count: number) => void;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #source = 0;
  #round = 1;
  #rest: Uint8Array = new Uint8Array(0);
  #received = 0;
  /** Bytes of the connection in use. */
  #delivered = 0;

  constructor(sources: readonly ContentSource[], contentId: string, file: string, range: { start: number; end: number }, options: FetchOptions, onBytes: (count: number) => void) {
    this.sources = sources;
    this.contentId = contentId;
    this.file = file;
    this.range = range;
    this.options = options;
    this.onBytes = onBytes;
  }

  /** The source the last bytes came from. */
  get sourceName(): string {
    return this.sources[this.#source % this.sources.length]?.name ?? "none";
  }

  /** The next `count` bytes. @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED */
  async read(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let needed = count;
    while (needed > 0) {
      if (this.#rest.length === 0) this.#rest = await this.#nextPiece();
      const part = this.#rest.subarray(0, needed);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      needed -= part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** Passes over the next `count` bytes, without holding them. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.read(Math.min(left, 1024 * 1024))).length;
  }

  async close(): Promise<void> {
    await this.#iterator?.return?.(undefined);
  }

  async #nextPiece(): Promise<Uint8Array> {
    for (;;) {
      this.options.signal?.throwIfAborted();
      try {
        this.#iterator ??= await this.#connect();
        const next = await this.#iterator.next();
        if (next.done !== true && next.value.length > 0) return this.#accept(next.value);
        if (next.done === true) throw new Error(`the connection ended ${this.range.end - this.range.start - this.#received} bytes early`);
      } catch (cause) {
        this.options.signal?.throwIfAborted();
        await this.#moveOn(cause);
      }
    }
  }

  async #connect(): Promise<AsyncIterator<Uint8Array>> {
    const source = this.sources[this.#source];
    if (source === undefined) throw new Error("no distribution point is known");
    const range = { start: this.range.start + this.#received, end: this.range.end, ...(this.options.rangesOnly === true && { required: true }) };
    if (this.#refuses(source)) throw new KnownWithoutRanges();
    return (await source.open(this.contentId, this.file, range, this.options.signal ?? new AbortController().signal))[Symbol.asyncIterator]();
  }

  #refuses(source: ContentSource): boolean {
    return this.options.rangesOnly === true && source.ranges === false;
  }

  #accept(piece: Uint8Array): Uint8Array {
    const room = this.range.end - this.range.start - this.#received;
    if (piece.length > room) throw new Error("the distribution point sent more than was asked for");
    this.#received += piece.length;
    this.#delivered += piece.length;
    this.onBytes(piece.length);
    return piece;
  }

  /** Drops the connection; the same source again if it delivered enough to be of use, else the next; after the last, waits and begins a new round. */
  async #moveOn(cause: unknown): Promise<void> {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (!(cause instanceof KnownWithoutRanges)) this.options.onSourceFailed?.({ source: this.sourceName, reason, round: this.#round });
    await Promise.resolve(this.#iterator?.return?.(undefined)).catch(() => undefined);
    this.#iterator = undefined;
    if (this.#delivered < worthAnotherTry) this.#source++;
    this.#delivered = 0;
    if (this.#source < this.sources.length) return;
    // One that sends whole files now is better than one that may send ranges later.
    if (this.sources.some((source) => this.#refuses(source))) throw new RangesIgnored();
    const rounds = this.options.rounds ?? 5;
    if (this.#round >= rounds || this.sources.length === 0) {
      throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected ${this.file} of content ${this.contentId.slice(0, 12)} from ${this.sources.length} distribution point(s); all failed ${this.#round} time(s), last: ${reason}. Check the network and the distribution points.`, { cause });
    }
    const seconds = (this.options.waitSeconds ?? ((round) => Math.min(30, 2 ** round)))(this.#round);
    this.options.onWaiting?.({ round: this.#round, rounds, seconds });
    await delay(seconds * 1000, undefined, this.options.signal ? { signal: this.options.signal } : {});
    this.#round++;
    this.#source = 0;
  }
}
