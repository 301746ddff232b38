import { createHash } from "node:crypto";
import { lstat, open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { chunkRecord, parseChunkList } from "../description/chunking.ts";
import { HashPool } from "./hash-pool.ts";
import type { RangeHash } from "./hash-pool.ts";
import { spanSize } from "../description/schema.ts";

/** A file to check. `name` is what a person is shown; sizes in bytes. */
export interface FileToVerify { path: string; name: string; size: number; sha256: string; spans?: readonly string[] | undefined }

/** A range whose bytes are not what was expected. */
export interface BadRange { what: "file" | "span" | "chunk"; offset: number; length: number; expected: string; found: string }
export interface DamagedFile { file: FileToVerify; reason: "missing" | "size" | "content"; foundSize?: number; bad: BadRange[] }

export interface VerifyProgress { done: number; total: number; name: string }
export interface VerifyOptions { threads?: number; signal?: AbortSignal; onProgress?: (event: VerifyProgress) => void }

/** Bytes of one unit of work: enough to keep a thread busy, little enough to divide one large file. */
const spansPerUnit = 2;

/**
 * Checks size and SHA-256 of every file, in several threads; files over 64 MiB by their spans, so that one large file uses every core.
 * Returns what is damaged, in the order given; never throws for a bad file.
 */
export async function verifyFiles(files: readonly FileToVerify[], options: VerifyOptions = {}): Promise<DamagedFile[]> {
  const pool = new HashPool(options.threads ?? availableParallelism());
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const advance = (file: FileToVerify, bytes: number) => options.onProgress?.({ done: (done += bytes), total, name: file.name });
  try {
    // Bounded: a media may have 200,000 files, and each pending check holds memory.
    const results: (DamagedFile | undefined)[] = [];
    let next = 0;
    const lane = async () => {
      for (let i = next++; i < files.length; i = next++) {
        options.signal?.throwIfAborted();
        const file = files[i];
        if (file !== undefined) results[i] = await verifyOne(pool, file, (bytes) => advance(file, bytes), options.signal);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    options.signal?.throwIfAborted();
    return results.filter((result) => result !== undefined);
  } finally {
    await pool.close();
  }
}

async function verifyOne(pool: HashPool, file: FileToVerify, advance: (bytes: number) => void, signal: AbortSignal | undefined): Promise<DamagedFile | undefined> {
  const status = await lstat(file.path).catch(() => undefined);
  if (status === undefined || !status.isFile()) {
    advance(file.size);
    return { file, reason: "missing", bad: [] };
  }
  if (status.size !== file.size) {
    advance(file.size);
    return { file, reason: "size", foundSize: status.size, bad: [] };
  }
  const bad = file.spans === undefined ? await verifyWhole(pool, file, advance) : await verifySpans(pool, file, file.spans, advance, signal);
  return bad.length === 0 ? undefined : { file, reason: "content", foundSize: status.size, bad };
}

async function verifyWhole(pool: HashPool, file: FileToVerify, advance: (bytes: number) => void): Promise<BadRange[]> {
  const found = digestOf(await pool.hash(file.path, 0, file.size));
  advance(file.size);
  return found === file.sha256 ? [] : [{ what: "file", offset: 0, length: file.size, expected: file.sha256, found }];
}

async function verifySpans(pool: HashPool, file: FileToVerify, spans: readonly string[], advance: (bytes: number) => void, signal: AbortSignal | undefined): Promise<BadRange[]> {
  if (spans.length !== Math.ceil(file.size / spanSize)) return [{ what: "file", offset: 0, length: file.size, expected: `${Math.ceil(file.size / spanSize)} spans`, found: `${spans.length} spans` }];
  const bad: BadRange[] = [];
  for (let first = 0; first < spans.length; first += spansPerUnit * 4) {
    signal?.throwIfAborted();
    await Promise.all(
      spans.slice(first, first + spansPerUnit * 4).map(async (expected, i) => {
        const offset = (first + i) * spanSize;
        const length = Math.min(spanSize, file.size - offset);
        const found = digestOf(await pool.hash(file.path, offset, length));
        advance(length);
        if (found !== expected) bad.push({ what: "span", offset, length, expected, found });
      }),
    );
  }
  return bad.sort((a, b) => a.offset - b.offset);
}

/** Names the bad chunks of a damaged file by its chunk list. Returns nothing where the list itself is not the one the index names. */
export async function findBadChunks(path: string, chunkList: Uint8Array, listSha256: string): Promise<BadRange[]> {
  if (createHash("sha256").update(chunkList).digest("hex") !== listSha256) return [];
  const handle = await open(path, "r");
  try {
    const bad: BadRange[] = [];
    for (const { offset, length, digest } of parseChunkList(chunkList)) {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await handle.read(bytes, 0, length, offset);
      const found = chunkRecord(bytes.subarray(0, bytesRead)).subarray(4);
      if (!found.equals(digest)) bad.push({ what: "chunk", offset, length, expected: digest.toString("hex"), found: found.toString("hex") });
    }
    return bad;
  } finally {
    await handle.close();
  }
}

function digestOf(result: RangeHash): string {
  return "error" in result ? `unreadable: ${result.error}` : result.sha256;
}
