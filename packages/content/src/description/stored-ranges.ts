import type { StoredFile } from "./schema.ts";

/** What a request costs, in bytes: a gap shorter than this is fetched with its neighbours. */
export const requestCost = 768;

/** Bytes [start, end) of content.wim, fetched by one request; they decode to whole stored chunks from raw byte `rawStart` on. */
export interface StoredRun { start: number; end: number; rawStart: number; rawEnd: number; /** The first stored chunk; without meaning where nothing is compressed. */ firstChunk: number }

/**
 * The ranges of a stored file that hold the given ranges of its raw bytes (in order, not overlapping), neighbours joined.
 * A compressed chunk can only be fetched whole.
 */
export function planStoredRanges(stored: StoredFile, needed: readonly { offset: number; length: number }[]): StoredRun[] {
  const offsets = chunkOffsets(stored);
  const runs: StoredRun[] = [];
  for (const { offset, length } of needed) {
    const run = coverRange(stored, offsets, offset, offset + length);
    const last = runs.at(-1);
    if (last !== undefined && run.start - last.end < requestCost) {
      last.end = Math.max(last.end, run.end);
      last.rawEnd = Math.max(last.rawEnd, run.rawEnd);
    } else runs.push(run);
  }
  return runs;
}

/** What fetching the runs costs, in bytes, requests included. */
export function costOf(runs: readonly { start: number; end: number }[]): number {
  return runs.reduce((sum, run) => sum + run.end - run.start + requestCost, 0);
}

function coverRange(stored: StoredFile, offsets: readonly number[], start: number, end: number): StoredRun {
  if (stored.compression === "none") return { start: stored.offset + start, end: stored.offset + end, rawStart: start, rawEnd: end, firstChunk: 0 };
  const firstChunk = Math.floor(start / stored.chunkSize);
  const lastChunk = Math.ceil(end / stored.chunkSize);
  return {
    start: offsets[firstChunk] ?? stored.offset, end: offsets[lastChunk] ?? stored.offset + stored.storedSize,
    rawStart: firstChunk * stored.chunkSize, rawEnd: Math.min(lastChunk * stored.chunkSize, stored.size), firstChunk,
  };
}

/** Where each stored chunk begins in content.wim, and where the last one ends. */
function chunkOffsets(stored: StoredFile): number[] {
  const offsets = [stored.offset + stored.tableSize];
  for (const size of stored.chunkSizes) offsets.push((offsets.at(-1) ?? 0) + size);
  return offsets;
}
