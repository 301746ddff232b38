import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { ContentError } from "../error.ts";
import type { Assembly } from "./fetch-plan.ts";
import { wrongPieces } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import type { StoredFile } from "../description/schema.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import type { LocalChunks } from "../cache/local-chunks.ts";
import { placeFile } from "../cache/place-file.ts";
import { copyPieces, fetchPieces } from "../pieces/apply-pieces.ts";
import type { PiecePlan } from "../pieces/plan-pieces.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { decodeStoredChunk, WrongBytes } from "./stored-chunk.ts";
import { planStoredRanges } from "../description/stored-ranges.ts";
import type { StoredRun } from "../description/stored-ranges.ts";

/** A file to put together: where its bytes are stored, and all its pieces in order. `name`: for messages. */
export interface Filling { name: string; stored: StoredFile; pieces: readonly FilePiece[] }
/** What is to be done: the pieces that are not right where they are, but promised by `chunks`; the ranges fetched for the rest. */
export interface FillWork {
  local: readonly FilePiece[];
  runs: readonly StoredRun[];
  /** With these less is fetched: `runs` are then what is left to stored chunks. */
  pieces?: PiecePlan | undefined;
  chunks: { read(piece: FilePiece): Promise<Buffer | undefined> };
  sources: readonly ContentSource[];
  contentId: string;
  options: FetchOptions;
  onBytes: (count: number) => void;
}

/**
 * Puts a file together: what is right stays, what another file of the disk holds is copied, the rest is fetched by ranges.
 * Every piece is checked where it was written. After a power cut the next plan finds what is right already and goes on from there.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED
 */
export async function assembleFile(cache: LocalCache, sources: readonly ContentSource[], contentId: string, assembly: Assembly, localChunks: LocalChunks, options: FetchOptions, onBytes: (count: number) => void): Promise<void> {
  const { file, pieces, local, runs } = assembly;
  const path = assembly.inPlace ?? cache.assemblyPath(contentId, file.sha256);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    await fillFile(handle, { name: file.paths[0] ?? "", stored: file.stored, pieces }, { local, runs, pieces: assembly.fine, chunks: localChunks, sources, contentId, options, onBytes });
    await checkWhole(handle, assembly);
  } catch (cause) {
    if (assembly.inPlace === undefined && cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_DAMAGED") await rm(path, { force: true });
    throw cause;
  } finally {
    await handle.close();
  }
  await placeFile(cache, contentId, path, file);
}

/** Brings every piece to its place, and to the disk. The whole is the caller's to check. @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED */
export async function fillFile(handle: FileHandle, filling: Filling, work: FillWork): Promise<void> {
  await handle.truncate(filling.stored.size);
  for (const piece of work.local) {
    work.options.signal?.throwIfAborted();
    const bytes = await work.chunks.read(piece);
    if (bytes !== undefined) await handle.write(bytes, 0, bytes.length, piece.offset);
  }
  if (work.pieces !== undefined) await copyPieces(handle, work.pieces.copies, work.options.signal);
  for (const run of work.runs) await fetchRun(handle, filling, run, work);
  // Last, as each is decoded with what lies before it.
  if (work.pieces !== undefined) await fetchPieces(handle, work.pieces.file, work.pieces.fetched, work);
  // What a list promised and the disk did not hold, and what came wrong.
  const wrong = await wrongPieces(handle, filling.pieces, work.options.signal);
  for (const run of planStoredRanges(filling.stored, wrong)) await fetchRun(handle, filling, run, work);
  await handle.sync();
}

/** Fetches one range; a source whose bytes are wrong is not asked again for it. */
async function fetchRun(handle: FileHandle, filling: Filling, run: StoredRun, { sources, contentId, options, onBytes }: FillWork): Promise<void> {
  for (let usable = [...sources]; ; ) {
    const reader = new ResumingReader(usable, contentId, "content.wim", run, options, onBytes);
    try {
      await receive(reader, handle, filling, run);
      const within = filling.pieces.filter((piece) => piece.offset >= run.rawStart && piece.offset + piece.length <= run.rawEnd);
      const [wrong] = await wrongPieces(handle, within, options.signal);
      if (wrong === undefined) return;
      throw new WrongBytes(`bytes ${wrong.offset} to ${wrong.offset + wrong.length} of ${JSON.stringify(filling.name)} arrived altered`, false);
    } catch (cause) {
      if (!(cause instanceof WrongBytes)) throw cause;
      options.onSourceFailed?.({ source: reader.sourceName, reason: cause.message, round: 1 });
      usable = usable.filter((source) => source.name !== reader.sourceName);
      if (usable.length === 0) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected correct bytes from ${sources.length} distribution point(s); ${cause.message}. Validate the content at the site.`, { cause });
    } finally {
      await reader.close();
    }
  }
}

/** Writes what a range decodes to, from its first raw byte on. */
async function receive(reader: ResumingReader, handle: FileHandle, { name, stored }: Filling, run: StoredRun): Promise<void> {
  if (stored.compression === "none") {
    for (let at = run.rawStart; at < run.rawEnd; ) {
      const bytes = await reader.read(Math.min(1024 * 1024, run.rawEnd - at));
      await handle.write(bytes, 0, bytes.length, at);
      at += bytes.length;
    }
    return;
  }
  for (let at = run.rawStart, chunk = run.firstChunk; at < run.rawEnd; chunk++) {
    const size = Math.min(stored.chunkSize, stored.size - at);
    const input = await reader.read(stored.chunkSizes[chunk] ?? 0);
    let bytes: Uint8Array;
    try {
      bytes = decodeStoredChunk(stored, input, size);
    } catch (cause) {
      throw new WrongBytes(`a compressed chunk of ${JSON.stringify(name)} does not decode`, false, { cause });
    }
    await handle.write(bytes, 0, bytes.length, at);
    at += size;
  }
}

/** The last word has the SHA-256 the index names. */
async function checkWhole(handle: FileHandle, { file }: Assembly): Promise<void> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1024 * 1024);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const found = hash.digest("hex");
  if (found !== file.sha256) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${JSON.stringify(file.paths[0])} with SHA-256 ${file.sha256} after its chunks were mended; found ${found}. The disk may be failing.`);
}
