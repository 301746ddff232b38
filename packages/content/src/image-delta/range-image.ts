import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { RandomAccessSource } from "@prestage/wim";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { ContentError } from "../error.ts";
import { readPiece } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { requestCost } from "../description/stored-ranges.ts";

/**
 * An image file of which only parts are here: a sparse file of its full length, each part in its place. What is read of it is fetched when
 * it is missing, and checked by the image's chunk list; `fetchRanges` brings other parts, which the caller checks.
 */
export class RangeImage implements RandomAccessSource {
  readonly size: number;
  /** Payload bytes fetched so far. */
  fetched = 0;
  readonly #file: FileHandle;
  readonly #pieces: readonly FilePiece[];
  readonly #right = new Set<FilePiece>();
  readonly #sources: readonly ContentSource[];
  readonly #contentId: string;
  readonly #options: FetchOptions;

  private constructor(file: FileHandle, size: number, pieces: readonly FilePiece[], sources: readonly ContentSource[], contentId: string, options: FetchOptions) {
    this.#file = file;
    this.size = size;
    this.#pieces = pieces;
    this.#sources = sources;
    this.#contentId = contentId;
    this.#options = options;
  }

  /** Opens the sparse file, which an earlier attempt may have left. `pieces`: all of the image, in order. */
  static async open(path: string, size: number, pieces: readonly FilePiece[], sources: readonly ContentSource[], contentId: string, options: FetchOptions): Promise<RangeImage> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    await file.truncate(size);
    return new RangeImage(file, size, pieces, sources, contentId, options);
  }

  /** Bytes of the image, checked by its chunk list. @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const wrong: FilePiece[] = [];
    for (const piece of this.#covering(offset, length)) {
      if (this.#right.has(piece)) continue;
      if ((await readPiece(this.#file, piece)) === undefined) wrong.push(piece);
      else this.#right.add(piece);
    }
    for (const run of joined(wrong.map((piece) => ({ start: piece.offset, end: piece.offset + piece.length })))) await this.#fetchChecked(run);
    return this.readHere(offset, length);
  }

  /** The same for a WIM to read, which closes its source where it cannot be opened: this one stays open. */
  borrowed(): RandomAccessSource {
    return { size: this.size, read: (offset, length) => this.read(offset, length), close: () => Promise.resolve() };
  }

  /** What lies in the file, whatever it is. */
  async readHere(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(bytes, 0, length, offset);
    if (bytesRead !== length) throw new RangeError(`expected ${length} bytes at ${offset}, found ${bytesRead}`);
    return bytes;
  }

  /** Fetches ranges, neighbours by one request, without checking them. */
  async fetchRanges(ranges: readonly { start: number; end: number }[], sources: readonly ContentSource[], onBytes: (count: number) => void): Promise<void> {
    for (const run of joined(ranges)) await this.#fetch(run, sources, onBytes);
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #covering(offset: number, length: number): FilePiece[] {
    let [low, high] = [0, this.#pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle];
      if (piece !== undefined && piece.offset + piece.length <= offset) low = middle + 1;
      else high = middle;
    }
    const found: FilePiece[] = [];
    for (let i = low; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i];
      if (piece === undefined || piece.offset >= offset + length) break;
      found.push(piece);
    }
    return found;
  }

  async #fetchChecked(run: { start: number; end: number }): Promise<void> {
    for (let usable = [...this.#sources]; usable.length > 0; ) {
      const name = await this.#fetch(run, usable, () => undefined);
      const wrong = await this.#wrongIn(run);
      if (wrong === undefined) return;
      this.#options.onSourceFailed?.({ source: name, reason: `bytes ${wrong.offset} to ${wrong.offset + wrong.length} of the image arrived altered`, round: 1 });
      usable = usable.filter((source) => source.name !== name);
    }
    throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected correct bytes of the image from ${this.#sources.length} distribution point(s); bytes ${run.start} to ${run.end} arrived altered. Validate the content at the site.`);
  }

  async #wrongIn(run: { start: number; end: number }): Promise<FilePiece | undefined> {
    for (const piece of this.#covering(run.start, run.end - run.start)) {
      if (piece.offset < run.start || piece.offset + piece.length > run.end) continue;
      if ((await readPiece(this.#file, piece)) === undefined) return piece;
      this.#right.add(piece);
    }
    return undefined;
  }

  /** Returns the name of the source the last bytes came from. */
  async #fetch({ start, end }: { start: number; end: number }, sources: readonly ContentSource[], onBytes: (count: number) => void): Promise<string> {
    const reader = new ResumingReader(sources, this.#contentId, "content.wim", { start, end }, this.#options, (count) => {
      this.fetched += count;
      onBytes(count);
    });
    try {
      for (let at = start; at < end; ) {
        const bytes = await reader.read(Math.min(1024 * 1024, end - at));
        await this.#file.write(bytes, 0, bytes.length, at);
        at += bytes.length;
      }
      return reader.sourceName;
    } finally {
      await reader.close();
    }
  }
}

/** Ranges in order, those closer than a request's price joined. */
export function joined(ranges: readonly { start: number; end: number }[]): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = runs.at(-1);
    if (last !== undefined && start - last.end < requestCost) last.end = Math.max(last.end, end);
    else runs.push({ start, end });
  }
  return runs;
}
