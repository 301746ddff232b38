import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, rename } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { parseChunkList } from "../description/chunking.ts";
import { syncPath } from "../durable-files.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { ContentError } from "../error.ts";
import { readPiece } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import { LocalChunks } from "../cache/local-chunks.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { planStoredRanges } from "../description/stored-ranges.ts";
import type { StoredRun } from "../description/stored-ranges.ts";
import { wholeWimAsStoredFile } from "../description/storage-map.ts";
import type { FileChunks } from "./chunk-file.ts";

/** Bytes that are here, bytes to fetch, and in how many ranges. */
export interface RefreshPlan { reused: number; toFetch: number; requests: number }

export interface RefreshOptions extends FetchOptions {
  onPlanned?: (planned: RefreshPlan) => void;
}

/** What `refreshFile` would fetch, by the lists of chunks alone: a chunk of the older files that is damaged, or that an earlier attempt left, is not known here. */
export function planRefreshFile(wanted: FileChunks, older: readonly FileChunks[]): RefreshPlan {
  const local = new LocalChunks();
  for (const { list } of older) local.add("", list);
  return planOf(wanted, parseChunkList(wanted.list).filter((piece) => !local.has(piece)));
}

function planOf(wanted: FileChunks, missing: readonly FilePiece[]): RefreshPlan & { runs: StoredRun[] } {
  const runs = planStoredRanges(wholeWimAsStoredFile(wanted.size), missing);
  const reused = wanted.size - missing.reduce((sum, piece) => sum + piece.length, 0);
  return { reused, toFetch: runs.reduce((sum, run) => sum + run.end - run.start, 0), requests: runs.length, runs };
}

/**
 * Makes a file out of older ones and what is fetched of it, byte for byte; it takes its name when all of it has the hash its list names.
 * What an earlier attempt left beside it (`OUTPUT.partial`) is gone on with.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED, PRESTAGE_CONTENT_DAMAGED
 */
export async function refreshFile(wanted: FileChunks, older: readonly { path: string; chunks: FileChunks }[], source: ContentSource, name: string, output: string, options: RefreshOptions = {}): Promise<{ reused: number; fetched: number }> {
  const local = new LocalChunks();
  for (const { path, chunks } of older) local.add(path, chunks.list);
  const partial = `${output}.partial`;
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  try {
    await file.truncate(wanted.size);
    const missing: FilePiece[] = [];
    for (const piece of parseChunkList(wanted.list)) {
      options.signal?.throwIfAborted();
      if (!(await isHere(file, piece, local))) missing.push(piece);
    }
    const { runs, ...plan } = planOf(wanted, missing);
    const { reused, toFetch } = plan;
    options.onPlanned?.(plan);
    let fetched = 0;
    const onBytes = (count: number) => {
      fetched += count;
      options.onProgress?.({ done: fetched, total: toFetch });
    };
    let next = 0;
    for (const run of runs) {
      // Runs and pieces are in order: each piece lies in one run.
      const first = next;
      while (next < missing.length && (missing[next]?.offset ?? 0) < run.end) next++;
      await fetchRun(file, run, missing.slice(first, next), source, name, options, onBytes);
    }
    await file.sync();
    await checkWhole(file, wanted, output);
    await rename(partial, output);
    await syncPath(dirname(output));
    return { reused, fetched };
  } finally {
    await file.close();
    await local.close();
  }
}

/** In its place already, or brought there from an older file. */
async function isHere(file: FileHandle, piece: FilePiece, local: LocalChunks): Promise<boolean> {
  if ((await readPiece(file, piece)) !== undefined) return true;
  const bytes = await local.read(piece);
  if (bytes === undefined) return false;
  await file.write(bytes, 0, bytes.length, piece.offset);
  return true;
}

/** `missing`: the pieces that lie in this run. */
async function fetchRun(file: FileHandle, run: StoredRun, missing: readonly FilePiece[], source: ContentSource, name: string, options: FetchOptions, onBytes: (count: number) => void): Promise<void> {
  const reader = new ResumingReader([source], "", name, run, options, onBytes);
  try {
    for (let at = run.start; at < run.end; ) {
      const bytes = await reader.read(Math.min(128 * 1024, run.end - at));
      await file.write(bytes, 0, bytes.length, at);
      at += bytes.length;
    }
  } finally {
    await reader.close();
  }
  for (const piece of missing) {
    if ((await readPiece(file, piece)) !== undefined) continue;
    throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected bytes ${piece.offset} to ${piece.offset + piece.length} of ${name} as its list of chunks has them; ${source.name} sent others. Was the file replaced without its .chunks?`);
  }
}

async function checkWhole(file: FileHandle, { size, sha256 }: FileChunks, output: string): Promise<void> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const found = hash.digest("hex");
  if (found !== sha256) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${output} with SHA-256 ${sha256}; found ${found}. The disk may be failing, or the list of chunks is of another file.`);
}
