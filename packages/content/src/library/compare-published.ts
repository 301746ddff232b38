import type { RandomAccessSource } from "@prestage/wim";
import type { ContentLibrary } from "./content-library.ts";
import { filesToPublish } from "./publish-version.ts";
import { openLibraryFile } from "./single-instance/stored-source.ts";

/**
 * Reads bytes of a version's file where it is published. `total`: the file's size there; bytes [start, end) come, all of the file where the server
 * sends no ranges. Undefined: the file is not there. Rejects where the distribution point does not answer.
 */
export type ReadPublished = (file: string, range: { start: number; end: number }) => Promise<{ total: number; start: number; end: number; bytes: AsyncIterable<Uint8Array> } | undefined>;
export interface CompareOptions { /** Read every byte. */ full?: boolean; signal?: AbortSignal; onProgress?: (event: { done: number; total: number }) => void }
export interface ComparedVersion { state: "whole" | "missing" | "damaged"; faults: { file: string; fault: string }[] }

const sampleSize = 64 * 1024;
const samples = 16;
/** A file up to this size is read whole in any case. */
const small = samples * sampleSize;
const pieceSize = 16 * 1024 * 1024;

/**
 * Compares a version where it is published with the library's: every file's size, the small files whole, of the large ones samples - or every byte.
 * @throws what `read` rejects with
 */
export async function comparePublished(library: ContentLibrary, contentId: string, read: ReadPublished, options: CompareOptions = {}): Promise<ComparedVersion> {
  const files = await filesToPublish(library, contentId);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const faults: ComparedVersion["faults"] = [];
  let [done, missing] = [0, 0];
  // The storage map first: without it nothing is published.
  for (const file of files.toReversed()) {
    options.signal?.throwIfAborted();
    const own = await openLibraryFile(file.path);
    try {
      const fault = await compareFile(own, file, read, options);
      if (fault === notThere) missing++;
      if (fault !== undefined) faults.push({ file: file.name, fault });
    } finally {
      await own.close();
    }
    if (missing > 0 && file.name === "storage.json") return { state: "missing", faults: [{ file: file.name, fault: notThere }] };
    options.onProgress?.({ done: (done += file.size), total });
  }
  return { state: faults.length > missing ? "damaged" : missing > 0 ? "missing" : "whole", faults };
}

const notThere = "is not there";

async function compareFile(own: RandomAccessSource, file: { name: string; size: number }, read: ReadPublished, options: CompareOptions): Promise<string | undefined> {
  for (const range of rangesOf(file.size, options.full === true)) {
    const answer = await read(file.name, range);
    if (answer === undefined) return notThere;
    if (answer.total !== file.size) {
      await discard(answer.bytes);
      return `has ${answer.total} bytes, expected ${file.size}`;
    }
    const isAnswer = (answer.start === range.start && answer.end === range.end) || (answer.start === 0 && answer.end === file.size);
    if (!isAnswer) {
      await discard(answer.bytes);
      return `sends bytes ${answer.start} to ${answer.end} where ${range.start} to ${range.end} were asked for`;
    }
    const fault = await compareBytes(own, answer.start, answer.end, answer.bytes, options.signal);
    if (fault !== undefined) return fault;
    // All of it came, whatever was asked for.
    if (answer.start === 0 && answer.end === file.size) return undefined;
  }
  return undefined;
}

async function compareBytes(own: RandomAccessSource, start: number, end: number, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<string | undefined> {
  let at = start;
  for await (const piece of bytes) {
    signal?.throwIfAborted();
    if (at + piece.length > Math.min(end, own.size)) return `sends more than it should at byte ${at}`;
    const expected = await own.read(at, piece.length);
    if (!Buffer.from(expected.buffer, expected.byteOffset, expected.length).equals(piece)) return `differs at byte ${at + expected.findIndex((byte, i) => byte !== piece[i])}`;
    at += piece.length;
  }
  return at === end ? undefined : `ends at byte ${at} of ${end}`;
}

/** What is asked for of a file: all of it in pieces, or samples from its beginning to its end. An empty file has one range, without bytes. */
function rangesOf(size: number, full: boolean): { start: number; end: number }[] {
  if (full || size <= small) return Array.from({ length: Math.max(1, Math.ceil(size / pieceSize)) }, (_, i) => ({ start: i * pieceSize, end: Math.min(size, (i + 1) * pieceSize) }));
  const step = (size - sampleSize) / (samples - 1);
  return Array.from({ length: samples }, (_, i) => Math.floor(i * step)).map((start) => ({ start, end: start + sampleSize }));
}

async function discard(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes) return;
}
