import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { ContentError } from "../error.ts";
import type { VersionDescription } from "./fetch-description.ts";
import { chunkListsOf, piecesOf, wrongPieces } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import { addImageChunks } from "../cache/held-images.ts";
import { LocalChunks } from "../cache/local-chunks.ts";
import { patchRuns } from "../patches/apply-patches.ts";
import type { PlannedPatch } from "../patches/apply-patch.ts";
import { costOfPatch } from "../patches/plan-patches.ts";
import type { ByteRange, PieceCandidate, PiecePlan } from "../pieces/plan-pieces.ts";
import type { CacheAnswer, LocalCache } from "../cache/local-cache.ts";
import type { IndexFile, StorageMap, StoredFile } from "../description/schema.ts";
import { costOf, planStoredRanges, requestCost } from "../description/stored-ranges.ts";
import { digestsIn } from "./unlike-version.ts";
import type { StoredRun } from "../description/stored-ranges.ts";

/** One stored resource to fetch, and every path of the version that has its bytes. */
export type { ByteRange };
export interface PlannedFile { paths: string[]; sha256: string; stored: StoredFile }
/** Bytes [start, end) of content.wim, fetched by one request. */
export interface FetchRun { start: number; end: number; files: PlannedFile[] }
/** A file put together from what the disk holds and the ranges fetched for the rest. */
export interface Assembly {
  file: PlannedFile;
  /** All of the file, in order. */
  pieces: FilePiece[];
  /** Its pieces that are not right where they are, but promised by another file of the disk. */
  local: FilePiece[];
  /** Where the file lies and is mended; otherwise it grows beside the others. */
  inPlace: string | undefined;
  /** What is not right of a file that lies there. */
  wrong: ByteRange[];
  /** Its pieces nothing promises. */
  needed: FilePiece[];
  runs: StoredRun[];
  /** Where parts of it come by finer pieces; `runs` are then the rest. */
  fine?: PiecePlan;
}
/** How one file is got, for a person to read (`delta`: an OS image, as what differs from an older one); `bytes`: payload, without the requests. */
export interface PlannedWay { paths: string[]; way: "patch" | "pieces" | "chunks" | "whole" | "delta"; bytes: number; requests: number; /** What it would cost whole, where that is known. */ whole?: number; /** Of a file that is there and mended: which of its bytes are not right. */ damaged?: ByteRange[] }
export interface FetchPlan {
  runs: FetchRun[];
  assemblies: Assembly[];
  patches: PlannedPatch[];
  emptyFiles: string[];
  localChunks: LocalChunks;
  ways: PlannedWay[];
  /** Payload bytes of all requests. */
  bytes: number;
  requests: number;
}
export interface PlanOptions {
  earlierContentIds?: readonly string[];
  /** Versions of other content the disk holds. */
  otherContentIds?: readonly string[];
  /** Those whose chunks are worth reading, though it takes more: OS images. */
  relatedContentIds?: readonly string[];
  signal?: AbortSignal;
  /** By the new file's SHA-256. */
  patches?: ReadonlyMap<string, PlannedPatch>;
  /** SHA-256 of files whose patch is taken without comparing: the storage map need not name them. */
  decided?: ReadonlySet<string>;
  /** Plans files with the version's pack of pieces. */
  planPieces?: (candidates: readonly PieceCandidate[]) => Promise<ReadonlyMap<string, PiecePlan>>;
  /** For sources without ranges: every file whole, in one pass over the stored WIM. */
  onePass?: boolean;
}

/**
 * Plans how the files that are not a hit are fetched: each whole, or only the chunks the disk does not hold, or by a patch of what it holds,
 * whichever is least, requests counted. What is damaged, or another version, is read for what it still has.
 * @throws ContentError PRESTAGE_CONTENT_STORAGE_MALFORMED
 */
export async function planFetch(cache: LocalCache, contentId: string, answer: CacheAnswer, version: VersionDescription, options: PlanOptions = {}): Promise<FetchPlan> {
  const decided = [...(options.patches ?? [])].filter(([sha256]) => options.decided?.has(sha256) === true).map(([, patch]) => patch);
  const open = { ...answer, files: answer.files.filter(({ file, state }) => state !== "hit" && options.decided?.has(file.sha256) !== true) };
  const { files, emptyFiles } = filesToFetch(open, version.storage);
  const lists = version.lists ?? chunkListsOf(version.index, version.chunks);
  const asked = digestsIn(lists.values());
  const localChunks = await cache.chunksOf(asked.size === 0 ? [] : (options.earlierContentIds ?? []), version.index, asked.size === 0 ? [] : options.otherContentIds, asked);
  if (asked.size > 0) await addImageChunks(cache, localChunks, options.relatedContentIds ?? [], version.index, asked);
  const byPath = new Map(version.index.files.map((file) => [file.path, file]));
  const assemblies: Assembly[] = [];
  const patches = [...decided];
  const whole: PlannedFile[] = [];
  const parts = new Map<PlannedFile, Assembly>();
  for (const file of files) {
    const assembly = options.onePass === true ? undefined : await planAssembly(cache, contentId, file, byPath, lists, localChunks, options.signal);
    if (assembly !== undefined) parts.set(file, assembly);
  }
  // What lies in its place and is mended has few chunks that are wrong; a patch is the least there is.
  const open_ = [...parts.values()].filter(({ file, inPlace }) => inPlace === undefined && options.patches?.has(file.sha256) !== true);
  const fine = open_.length === 0 ? undefined : await options.planPieces?.(open_.map(({ file: { sha256, stored, paths }, needed }) => ({ sha256, stored, path: paths[0] ?? "", needed })));
  for (const { file, ...assembly } of open_) {
    const plan = fine?.get(file.sha256);
    if (plan !== undefined) parts.set(file, { file, ...assembly, fine: plan, runs: plan.runs });
  }
  for (const file of files) {
    const assembly = parts.get(file);
    const patch = options.patches?.get(file.sha256);
    const byChunks = assembly === undefined ? Infinity : costOf(requestsOf(assembly));
    if (patch !== undefined && costOfPatch(patch) < Math.min(byChunks, file.stored.storedSize)) patches.push(patch);
    else if (assembly !== undefined && byChunks < file.stored.storedSize) assemblies.push(assembly);
    else whole.push(file);
  }
  const runs = joinFiles(whole, options.onePass === true ? Infinity : requestCost);
  const ways = waysOf(patches, assemblies, whole, version.storage);
  const requests = [...runs, ...assemblies.flatMap(requestsOf)];
  return {
    runs, assemblies, patches, emptyFiles, localChunks, ways,
    bytes: requests.reduce((sum, run) => sum + run.end - run.start, 0) + patches.reduce((sum, patch) => sum + patch.bytes, 0),
    requests: requests.length + patchRuns(patches).length,
  };
}

function requestsOf({ runs, fine }: Assembly): { start: number; end: number }[] {
  return [...runs, ...(fine?.fetched ?? [])];
}

function waysOf(patches: readonly PlannedPatch[], assemblies: readonly Assembly[], whole: readonly PlannedFile[], storage: StorageMap): PlannedWay[] {
  const stored = new Map(storage.files.map((file) => [file.path, file.storedSize]));
  const price = (paths: readonly string[]) => {
    const size = stored.get(paths[0] ?? "");
    return size === undefined ? {} : { whole: size };
  };
  return [
    ...patches.map(({ paths, patch, bytes }): PlannedWay => ({ paths, way: "patch", bytes, requests: patch.pieces.length, ...price(paths) })),
    ...assemblies.map((assembly): PlannedWay => {
      const { file, fine, inPlace, wrong } = assembly;
      const requests = requestsOf(assembly);
      return { paths: file.paths, way: fine === undefined ? "chunks" : "pieces", bytes: requests.reduce((sum, run) => sum + run.end - run.start, 0), requests: requests.length, ...price(file.paths), ...(inPlace !== undefined && { damaged: wrong }) };
    }),
    ...whole.map(({ paths, stored: { storedSize } }): PlannedWay => ({ paths, way: "whole", bytes: storedSize, requests: 1, whole: storedSize })),
  ].sort((a, b) => ((a.paths[0] ?? "") < (b.paths[0] ?? "") ? -1 : 1));
}

/** Two paths with the same bytes are one resource, fetched once. */
function filesToFetch(answer: CacheAnswer, storage: StorageMap): { files: PlannedFile[]; emptyFiles: string[] } {
  const stored = new Map(storage.files.map((file) => [file.path, file]));
  const byOffset = new Map<number, PlannedFile>();
  const emptyFiles: string[] = [];
  for (const { file } of answer.files) {
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
  return { files: [...byOffset.values()].sort((a, b) => a.stored.offset - b.stored.offset), emptyFiles };
}

/** What of a file the disk holds already, by reading it; undefined where nothing of it can be, or it can only be fetched whole. */
async function planAssembly(cache: LocalCache, contentId: string, file: PlannedFile, byPath: ReadonlyMap<string, IndexFile>, lists: ReadonlyMap<string, Buffer>, localChunks: LocalChunks, signal: AbortSignal | undefined): Promise<Assembly | undefined> {
  const [first = ""] = file.paths;
  const described = byPath.get(first);
  const pieces = described && piecesOf(described, lists.get(first));
  if (pieces === undefined) return undefined;
  const inPlace = await ownFile(file.paths.map((path) => cache.filePath(contentId, path)));
  const from = inPlace ?? cache.assemblyPath(contentId, file.sha256);
  const wrong = (await isFile(from)) ? await wrongIn(from, pieces, signal) : pieces;
  const local = wrong.filter((piece) => localChunks.has(piece));
  if (wrong.length === pieces.length && local.length === 0) return undefined;
  const needed = wrong.filter((piece) => !localChunks.has(piece));
  return { file, pieces, local, inPlace, wrong: joined(wrong), needed, runs: planStoredRanges(file.stored, needed) };
}

function joined(pieces: readonly FilePiece[]): ByteRange[] {
  const ranges: ByteRange[] = [];
  for (const { offset, length } of pieces) {
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else ranges.push({ offset, length });
  }
  return ranges;
}

/** The first of the names that is a file with no other names than these: mending one in place must not reach a file that lies elsewhere. */
async function ownFile(paths: readonly string[]): Promise<string | undefined> {
  const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
  for (const [i, status] of found.entries()) {
    if (status?.isFile() === true && status.nlink <= found.filter((other) => other?.ino === status.ino && other.dev === status.dev).length) return paths[i];
  }
  return undefined;
}

async function wrongIn(path: string, pieces: FilePiece[], signal: AbortSignal | undefined): Promise<FilePiece[]> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await wrongPieces(handle, pieces, signal);
  } finally {
    await handle.close();
  }
}

/** Whole files in stored order, those with less than `gap` bytes between them in one request. */
function joinFiles(files: readonly PlannedFile[], gap: number): FetchRun[] {
  const runs: FetchRun[] = [];
  for (const file of files) {
    const end = file.stored.offset + file.stored.storedSize;
    const last = runs.at(-1);
    if (last !== undefined && file.stored.offset >= last.end && file.stored.offset - last.end < gap) {
      last.files.push(file);
      last.end = end;
    } else runs.push({ start: file.stored.offset, end, files: [file] });
  }
  return runs;
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then((status) => status.isFile(), () => false);
}
