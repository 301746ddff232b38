import type { FileHandle } from "node:fs/promises";
import { constants, inflateRawSync } from "node:zlib";
import { RangesIgnored } from "../fetch/content-source.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { pieceWindow } from "./piece-layout.ts";
import type { PieceRecord } from "./piece-layout.ts";
import type { PieceCopy, PieceRun } from "./plan-pieces.ts";

export interface PieceWork { sources: readonly ContentSource[]; contentId: string; options: FetchOptions; onBytes: (count: number) => void }

/** The empty stored block a flush ends with (RFC 1951, 3.2.4); the pack leaves it out. */
export const flushEnd = Buffer.from([0, 0, 0xff, 0xff]);
/** So many pieces of a request that do not decode, one after the other, and the rest is not asked for. */
const mostWrong = 16;

/** Writes what was found in old data to its place; the caller checks it. */
export async function copyPieces(handle: FileHandle, copies: readonly PieceCopy[], signal?: AbortSignal): Promise<void> {
  for (const { offset, length, from, at } of copies) {
    signal?.throwIfAborted();
    const bytes = await from.range(at, length);
    if (bytes !== undefined) await handle.write(bytes, 0, bytes.length, offset);
  }
}

/**
 * Fetches pieces and writes them to their places, from the file's front on: each is decoded with what lies before it. Nothing is checked here but that it
 * decodes to its length; what is wrong then, or could not be had, is the caller's to find and to fetch another way.
 */
export async function fetchPieces(handle: FileHandle, file: string, runs: readonly PieceRun[], work: PieceWork): Promise<void> {
  const ahead: Promise<Uint8Array | Error>[] = [];
  let asked = 0;
  for (const [i, run] of runs.entries()) {
    for (; asked < runs.length && asked <= i + readAhead; asked++) ahead.push(readRun(file, runs[asked]!, work));
    // What is written is let go of: a pack may have hundreds of megabytes.
    const bytes = await ahead.shift();
    work.options.signal?.throwIfAborted();
    if (bytes instanceof RangesIgnored) throw bytes;
    // The pack cannot be had any more (the site may have dropped it since the policy was made), or is none: nor would the rest of it.
    if (bytes === undefined || bytes instanceof Error || !(await writePieces(handle, run, bytes))) break;
  }
  await Promise.all(ahead);
}

/** Requests that are sent before the one before is answered: most are for a piece or two. */
const readAhead = 7;

async function readRun(file: string, run: PieceRun, { sources, contentId, options, onBytes }: PieceWork): Promise<Uint8Array | Error> {
  try {
    const reader = new ResumingReader(sources, contentId, file, run, { ...options, rounds: 1 }, onBytes);
    try {
      return await reader.read(run.end - run.start);
    } finally {
      await reader.close();
    }
  } catch (cause) {
    // Told when its turn comes: nobody may be waiting for it yet.
    return cause instanceof Error ? cause : new Error(String(cause));
  }
}

/** False where so many do not decode that the pack must be another. */
async function writePieces(handle: FileHandle, { start, pieces }: PieceRun, run: Uint8Array): Promise<boolean> {
  let wrong = 0;
  for (const piece of pieces) {
    const stored = run.subarray(piece.at - start, piece.at - start + piece.storedSize);
    const bytes = decodePiece(stored, piece, await windowOf(handle, piece));
    wrong = bytes === undefined ? wrong + 1 : 0;
    if (bytes !== undefined) await handle.write(bytes, 0, bytes.length, piece.offset);
    if (wrong >= mostWrong) return false;
  }
  return true;
}

async function windowOf(handle: FileHandle, { offset }: PieceRecord): Promise<Buffer> {
  const window = Buffer.alloc(Math.min(pieceWindow, offset));
  await handle.read(window, 0, window.length, offset - window.length);
  return window;
}

/** Undefined where it does not decode to its length. */
export function decodePiece(stored: Uint8Array, { length }: Pick<PieceRecord, "length">, window: Buffer): Buffer | undefined {
  if (stored.length === length) return Buffer.from(stored);
  try {
    const bytes = inflateRawSync(Buffer.concat([stored, flushEnd]), { maxOutputLength: length, finishFlush: constants.Z_SYNC_FLUSH, ...(window.length > 0 && { dictionary: window }) });
    return bytes.length === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}
