import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { mkdir, open, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { assembleFile } from "./assemble-file.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { ContentError } from "../error.ts";
import { applyPatches } from "../patches/apply-patches.ts";
import type { FetchPlan, FetchRun, PlannedFile } from "./fetch-plan.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import { PlaceBatch } from "../cache/place-file.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { decodeStoredChunk, WrongBytes } from "./stored-chunk.ts";

/**
 * Carries a plan out: files patched, put together or fetched whole, by ranges of the stored WIM, into the cache.
 * What was cut off is gone on with; each file takes its name, and is told right, only when its SHA-256 is.
 * `unpatched`: files whose patch did not give what it promised; they are still to be fetched, another way.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED
 */
export async function fetchPlanned(cache: LocalCache, sources: readonly ContentSource[], contentId: string, plan: FetchPlan, options: FetchOptions = {}): Promise<{ bytes: number; unpatched: string[] }> {
  let received = 0;
  const unpatched: string[] = [];
  const onBytes = (count: number) => {
    received += count;
    options.onProgress?.({ done: received, total: plan.bytes });
  };
  for (const path of plan.emptyFiles) await writeEmpty(cache.filePath(contentId, path));
  const batch = new PlaceBatch(cache, contentId);
  try {
    const unmade = plan.patches.length === 0 ? [] : await applyPatches(plan.patches, { cache, sources, contentId, options, onBytes, batch });
    unpatched.push(...unmade.flatMap(({ paths }) => paths));
    for (const assembly of plan.assemblies) await assembleFile(cache, sources, contentId, assembly, plan.localChunks, options, onBytes);
    for (const run of plan.runs) await fetchRun(cache, sources, contentId, run, options, onBytes, batch);
    await batch.flush();
  } catch (cause) {
    // What is finished stays, whatever ended the rest.
    await batch.flush().catch(() => undefined);
    throw cause;
  } finally {
    await plan.localChunks.close();
  }
  await cache.removePartials(contentId);
  return { bytes: received, unpatched };
}

/** Fetches one run; where a source delivered wrong bytes the rest of the run is fetched from the others. */
async function fetchRun(cache: LocalCache, sources: readonly ContentSource[], contentId: string, run: FetchRun, options: FetchOptions, onBytes: (count: number) => void, batch: PlaceBatch): Promise<void> {
  let usable = [...sources];
  let files = [...run.files];
  while (files.length > 0) {
    const first = files[0];
    if (first === undefined) return;
    const from = await resumePoint(cache.partialPath(contentId, first.sha256), first);
    const reader = new ResumingReader(usable, contentId, "content.wim", { start: from.offset, end: run.end }, options, onBytes);
    try {
      let at = from.offset;
      for (const file of files) {
        const begin = file === first ? from : { offset: file.stored.offset, chunk: 0 };
        await reader.skip(begin.offset - at);
        await receiveFile(reader, cache, contentId, file, begin.chunk, batch);
        at = file.stored.offset + file.stored.storedSize;
        files = files.slice(1);
      }
    } catch (cause) {
      if (!(cause instanceof WrongBytes)) throw cause;
      // What an earlier attempt left was wrong, not what came now: the file is fetched again from its beginning.
      if (cause.resumed) continue;
      options.onSourceFailed?.({ source: reader.sourceName, reason: cause.message, round: 1 });
      usable = usable.filter((source) => source.name !== reader.sourceName);
      if (usable.length === 0) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected correct bytes from ${sources.length} distribution point(s); ${cause.message}. Validate the content at the site.`, { cause });
    } finally {
      await reader.close();
    }
  }
}

/** Where to go on with a file that was cut off: the first stored chunk that is not yet on the disk. */
async function resumePoint(path: string, file: PlannedFile): Promise<{ offset: number; chunk: number }> {
  const { stored } = file;
  const partial = await stat(path).then((status) => status.size, () => 0);
  const chunk = Math.min(Math.floor(partial / stored.chunkSize), Math.floor(stored.size / stored.chunkSize));
  if (chunk === 0) return { offset: stored.offset, chunk: 0 };
  if (stored.compression === "none") return { offset: stored.offset + chunk * stored.chunkSize, chunk };
  return { offset: stored.offset + stored.tableSize + stored.chunkSizes.slice(0, chunk).reduce((sum, size) => sum + size, 0), chunk };
}

/** Receives one stored resource, decodes it and writes every file that has these bytes. */
async function receiveFile(reader: ResumingReader, cache: LocalCache, contentId: string, file: PlannedFile, firstChunk: number, batch: PlaceBatch): Promise<void> {
  const partial = cache.partialPath(contentId, file.sha256);
  await mkdir(dirname(partial), { recursive: true, mode: 0o700 });
  const resumed = firstChunk > 0;
  const handle = await open(partial, resumed ? "r+" : "w", 0o600);
  try {
    const hash = createHash("sha256");
    // What lies behind the resume point would survive behind the file's end.
    await handle.truncate(Math.min(firstChunk * file.stored.chunkSize, file.stored.size));
    await hashPrefix(handle, firstChunk * file.stored.chunkSize, hash);
    await decodeChunks(reader, file, firstChunk, async (bytes, offset) => {
      hash.update(bytes);
      await handle.write(bytes, 0, bytes.length, offset);
    });
    const found = hash.digest("hex");
    if (found !== file.sha256) throw new WrongBytes(`${JSON.stringify(file.paths[0])} arrived with SHA-256 ${found}, expected ${file.sha256}`, resumed);
  } catch (cause) {
    if (cause instanceof WrongBytes) await rm(partial, { force: true });
    throw cause;
  } finally {
    await handle.close();
  }
  await batch.add(partial, file, file.stored.size);
}

async function decodeChunks(reader: ResumingReader, file: PlannedFile, firstChunk: number, write: (bytes: Uint8Array, offset: number) => Promise<void>): Promise<void> {
  const { stored } = file;
  if (stored.compression === "none") {
    for (let offset = firstChunk * stored.chunkSize; offset < stored.size; ) {
      const bytes = await reader.read(Math.min(1024 * 1024, stored.size - offset));
      await write(bytes, offset);
      offset += bytes.length;
    }
    return;
  }
  if (firstChunk === 0) await reader.read(stored.tableSize);
  for (let i = firstChunk; i < stored.chunkSizes.length; i++) {
    const offset = i * stored.chunkSize;
    const size = Math.min(stored.chunkSize, stored.size - offset);
    const input = await reader.read(stored.chunkSizes[i] ?? 0);
    await write(decode(file, input, size, firstChunk > 0), offset);
  }
}

function decode(file: PlannedFile, input: Uint8Array, size: number, resumed: boolean): Uint8Array {
  try {
    return decodeStoredChunk(file.stored, input, size);
  } catch (cause) {
    throw new WrongBytes(`a compressed chunk of ${JSON.stringify(file.paths[0])} does not decode`, resumed, { cause });
  }
}

async function hashPrefix(handle: FileHandle, length: number, hash: Hash): Promise<void> {
  const buffer = Buffer.alloc(256 * 1024);
  for (let offset = 0; offset < length; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - offset), offset);
    if (bytesRead === 0) throw new WrongBytes("a partial file is shorter than it was", true);
    hash.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}

async function writeEmpty(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await (await open(path, "w", 0o600)).close();
}
