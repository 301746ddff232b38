import { ContentError } from "./error.ts";
import type { CacheAnswer } from "./local-cache.ts";
import type { StorageMap, StoredFile } from "./schema.ts";

/** One stored resource to fetch, and every path of the version that has its bytes. */
export interface PlannedFile { paths: string[]; sha256: string; stored: StoredFile }
/** Bytes [start, end) of content.wim, fetched by one request. */
export interface FetchRun { start: number; end: number; files: PlannedFile[] }
export interface FilePlan { runs: FetchRun[]; emptyFiles: string[]; /** Payload bytes of all runs. */ bytes: number }

/** What a request costs, in bytes: a gap shorter than this is fetched with its neighbours. */
export const requestCost = 768;

/**
 * Plans fetching whole files: those that are not a hit, in stored order, neighbours joined.
 * Two paths with the same bytes are one resource, fetched once.
 * @throws ContentError PRESTAGE_CONTENT_STORAGE_MALFORMED
 */
export function planFileFetch(answer: CacheAnswer, storage: StorageMap): FilePlan {
  const stored = new Map(storage.files.map((file) => [file.path, file]));
  const byOffset = new Map<number, PlannedFile>();
  const emptyFiles: string[] = [];
  for (const { file, state } of answer.files) {
    if (state === "hit") continue;
    if (file.size === 0) {
      emptyFiles.push(file.path);
      continue;
    }
    const place = stored.get(file.path);
    if (place === undefined || place.size !== file.size) {
      throw new ContentError("PRESTAGE_CONTENT_STORAGE_MALFORMED", `Expected the storage map to place ${JSON.stringify(file.path)} (${file.size} bytes); found ${place ? `${place.size} bytes` : "nothing"}.`);
    }
    const planned = byOffset.get(place.offset);
    if (planned?.sha256 === file.sha256) planned.paths.push(file.path);
    else byOffset.set(place.offset, { paths: [file.path], sha256: file.sha256, stored: place });
  }
  const runs: FetchRun[] = [];
  for (const file of [...byOffset.values()].sort((a, b) => a.stored.offset - b.stored.offset)) {
    const end = file.stored.offset + file.stored.storedSize;
    const last = runs.at(-1);
    if (last !== undefined && file.stored.offset >= last.end && file.stored.offset - last.end < requestCost) {
      last.files.push(file);
      last.end = end;
    } else runs.push({ start: file.stored.offset, end, files: [file] });
  }
  return { runs, emptyFiles, bytes: runs.reduce((sum, run) => sum + run.end - run.start, 0) };
}
