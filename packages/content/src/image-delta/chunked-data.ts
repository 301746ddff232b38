import { resourceFlags } from "@prestage/wim";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { parseChunkList } from "../description/chunking.ts";
import { piecesOf } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import type { ContentIndex, IndexFile, StoredFile } from "../description/schema.ts";
import { storedFileOf } from "../description/storage-map.ts";
import { costOf, planStoredRanges } from "../description/stored-ranges.ts";
import type { StoredRun } from "../description/stored-ranges.ts";
import { bytesOfPatch } from "../patches/plan-patches.ts";
import type { PieceCandidate, PiecePlan } from "../pieces/plan-pieces.ts";
import type { ImageChunks } from "../cache/image-chunks.ts";
import type { NamedData } from "./made-data.ts";
import type { MissingData } from "./missing-data.ts";
import type { PatchedData } from "./patched-data.ts";

/** Data of a new image that the older one may hold parts of, and what the index says of them. */
export interface Candidate { data: NamedData; file: IndexFile }
/** Data of a new image put together from chunks of the older one and ranges fetched for the rest. */
export interface ChunkedData extends Candidate { stored: StoredFile; pieces: FilePiece[]; runs: StoredRun[]; /** Where parts of it come by finer pieces; `runs` are then the rest. */ fine?: PiecePlan }

/** A patch below this part of the data is taken without asking what their chunks would cost. */
const cheap = 0.5;

/**
 * The data whose chunks are worth asking for: those not made by a cheap patch, of files the index cuts into chunks, where the older image has a file
 * of that name, wherever it lies (a kernel's modules move with every version).
 */
export function chunkCandidates(raw: readonly MissingData[], patched: readonly PatchedData[], index: ContentIndex, image: number, baseIndex: ContentIndex): Candidate[] {
  const files = new Map(index.images?.find((one) => one.index === image)?.files.filter((file) => file.chunks !== undefined).map((file) => [file.sha256, file]));
  const names = new Set(baseIndex.images?.flatMap((one) => one.files.map((file) => nameOf(file.path))));
  const dear = patched.filter(({ data, patch }) => bytesOfPatch(patch) > data.resource.storedSize * cheap).map(({ data }) => data);
  return [...raw, ...dear].flatMap(({ sha1, sha256, resource }) => {
    const file = sha256 === undefined ? undefined : files.get(sha256);
    return sha256 === undefined || file === undefined || file.size !== resource.size || !names.has(nameOf(file.path)) ? [] : [{ data: { sha1, sha256, resource }, file }];
  });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The digests of all chunks of these files. `lists`: by path. */
export function digestsOf(candidates: readonly Candidate[], lists: ReadonlyMap<string, Buffer>): Set<string> {
  return new Set(candidates.flatMap(({ file }) => parseChunkList(lists.get(file.path) ?? Buffer.alloc(0)).map(({ digest }) => digest.toString("base64"))));
}

/** Those the older image holds chunks of, with all their pieces. */
export function sharedData(candidates: readonly Candidate[], lists: ReadonlyMap<string, Buffer>, base: ImageChunks): (Candidate & { pieces: FilePiece[] })[] {
  return candidates.flatMap((one) => {
    const pieces = piecesOf(one.file, lists.get(one.file.path));
    return pieces?.some((piece) => base.has(piece)) === true ? [{ ...one, pieces }] : [];
  });
}

/** Where the tables lie that say which chunk of the stored data holds what. */
export function tableRanges(shared: readonly Candidate[], chunkSize: number): { start: number; end: number }[] {
  return shared.filter(({ data }) => isCompressed(data.resource)).map(({ data: { resource } }) => {
    const width = resource.size > 0xffffffff ? 8 : 4;
    return { start: resource.offset, end: resource.offset + (Math.ceil(resource.size / chunkSize) - 1) * width };
  }).filter(({ start, end }) => end > start);
}

function isCompressed({ flags }: ResourceHeader): boolean {
  return (flags & resourceFlags.compressed) !== 0;
}

/** Plans data with the pack of pieces, where there is one. */
export type PlanPieces = (candidates: readonly PieceCandidate[]) => Promise<ReadonlyMap<string, PiecePlan>>;

/** What fetching the rest of each costs, where that is less than the whole and less than its patch. `wim`: its tables can be read. */
export async function priceChunked(shared: readonly (Candidate & { pieces: FilePiece[] })[], wim: WimFile, base: ImageChunks, patched: readonly PatchedData[], byPieces: PlanPieces): Promise<ChunkedData[]> {
  const patches = new Map(patched.map((one) => [one.data.sha1, bytesOfPatch(one.patch)]));
  const placed: ChunkedData[] = [];
  const unknown: PieceCandidate[] = [];
  for (const one of shared) {
    // A table that came altered is seen here or when the data do not have their hash: they are fetched whole then.
    const stored = await storedFileOf(wim, one.file.path, one.data.resource).catch(() => undefined);
    if (stored === undefined) continue;
    const needed = one.pieces.filter((piece) => !base.has(piece));
    placed.push({ ...one, stored, runs: planStoredRanges(stored, needed) });
    if (!patches.has(one.data.sha1)) unknown.push({ sha256: one.data.sha256, path: one.file.path, stored, needed });
  }
  const fine = await byPieces(unknown);
  return placed.flatMap((one) => {
    const plan = fine.get(one.data.sha256);
    const chunked: ChunkedData = plan === undefined ? one : { ...one, runs: plan.runs, fine: plan };
    return costOf(requestsOf(chunked)) < Math.min(one.stored.storedSize, patches.get(one.data.sha1) ?? Infinity) ? [chunked] : [];
  });
}

/** What is fetched of it, of the image and of the pack of pieces. */
export function requestsOf({ runs, fine }: Pick<ChunkedData, "runs" | "fine">): { start: number; end: number }[] {
  return [...runs, ...(fine?.fetched ?? [])];
}

/** What is left of the other ways. */
export function without<T>(all: readonly T[], chunked: readonly ChunkedData[], sha1Of: (one: T) => string): T[] {
  const taken = new Set(chunked.map(({ data }) => data.sha1));
  return all.filter((one) => !taken.has(sha1Of(one)));
}
