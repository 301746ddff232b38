import { setImmediate } from "node:timers/promises";
import type { StoredFile } from "../description/schema.ts";
import { costOf, planStoredRanges, requestCost } from "../description/stored-ranges.ts";
import type { StoredRun } from "../description/stored-ranges.ts";
import type { OldData } from "./old-data.ts";
import { worthSearching } from "./old-data.ts";
import { blockOf, blockRange, listBytes, parseBlock, pieceSize } from "./piece-layout.ts";
import type { PieceFile, PieceRecord } from "./piece-layout.ts";
import type { PiecePack } from "./piece-pack.ts";
import { PieceSearch } from "./piece-search.ts";

/** A file of which parts are unknown. `needed`: those, in order; `path`: to find files like it. */
export interface PieceCandidate { sha256: string; path: string; stored: StoredFile; needed: readonly ByteRange[] }
export interface ByteRange { offset: number; length: number }
/** Bytes of old data that are most likely bytes [offset, offset + length) of the file. */
export interface PieceCopy extends ByteRange { from: OldData; at: number }
/** Pieces fetched by one request: bytes [start, end) of the pack. */
export interface PieceRun { start: number; end: number; pieces: PieceRecord[] }
/** How the unknown parts of a file are got: what was found in old data, pieces, and whole stored chunks where those are less. */
export interface PiecePlan { file: string; copies: PieceCopy[]; fetched: PieceRun[]; runs: StoredRun[]; /** What of the file `runs` are for. */ stored: ByteRange[] }

/** A search for less than this is not worth its lists. */
const leastNeeded = 64 * 1024;
/** More pieces are not kept in memory, and not looked for. */
const mostPieces = 1_000_000;
/** What is asked for at once is held in memory. */
const longestRun = 1024 * 1024;
/** So many ranges of the lists are asked for at once. */
const readAtOnce = 8;
/** Pieces that lie among nothing known are looked for where so many of the others were found, and for as long as they save what their lists cost. */
const worthListing = 0.03;
const growth = 4;
/** So many blocks are asked for by one request: single ones would cost more in requests, or bring their neighbours along. */
const blocksTogether = 8;

interface Wanted { piece: PieceRecord; found?: { from: OldData; at: number } }
interface Search {
  candidate: PieceCandidate;
  file: PieceFile;
  /** By number of the piece. */
  wanted: Map<number, Wanted>;
  /** Numbers of the pieces of stored chunks that are known in part, and of those of which nothing is known. */
  first: number[];
  later: number[];
  /** What of its list is known, and which blocks were asked for. */
  records: Map<number, PieceRecord>;
  blocks: Set<number>;
}

/**
 * Plans files with pieces, where that is less than by stored chunks alone: fetches the lists of the unknown parts, first of the stored chunks that are
 * known in part, then of more and more others, and looks for what they name in the old data. A list that cannot be had or makes no sense ends it for its file. By SHA-256.
 */
export async function planPieces(pack: PiecePack, candidates: readonly PieceCandidate[], old: readonly OldData[], signal?: AbortSignal): Promise<Map<string, PiecePlan>> {
  let room = mostPieces;
  const open: Search[] = [];
  for (const candidate of candidates) {
    const file = pack.layout.files.get(candidate.sha256);
    if (file === undefined || file.size !== candidate.stored.size || candidate.stored.compression === "none" || candidate.stored.chunkSize % pieceSize !== 0) continue;
    const search = firstPieces(candidate, file);
    if (search.first.length === 0 || (room -= search.first.length + search.later.length) < 0) continue;
    open.push(search);
  }
  const data = worthSearching(old, open.map(({ candidate }) => candidate.path));
  const listed = await searchFor(pack, open.map((search) => ({ search, numbers: search.first })), data, signal);
  let going = listed.filter((search) => foundOf(search, search.first) >= search.first.length * worthListing);
  while ((going = going.filter(({ later }) => later.length > 0)).length > 0) {
    const round = going.map((search) => ({ search, numbers: takeLater(search) }));
    const came = new Set(await searchFor(pack, round, data, signal));
    going = round.filter(({ search, numbers }) => came.has(search) && savedBy(search, numbers) >= listBytes(numbers.length)).map(({ search }) => search);
  }
  const plans = new Map<string, PiecePlan>();
  for (const search of listed) {
    const plan = cheapest(search, pack.file);
    if (costOfPieces(plan) < costOf(planStoredRanges(search.candidate.stored, search.candidate.needed))) plans.set(search.candidate.sha256, plan);
  }
  return plans;
}

/** Whether so much of the files is unknown that it is worth asking for pieces. */
export function worthPieces(candidates: readonly Pick<PieceCandidate, "needed">[]): boolean {
  return candidates.reduce((sum, { needed }) => sum + needed.reduce((bytes, { length }) => bytes + length, 0), 0) >= leastNeeded;
}

/** What a plan costs, in bytes, requests included. */
export function costOfPieces(plan: PiecePlan): number {
  return costOf(plan.runs) + costOf(plan.fetched);
}

function firstPieces(candidate: PieceCandidate, file: PieceFile): Search {
  const { stored, needed } = candidate;
  const unknown = new Map<number, number>();
  const numbers = new Set<number>();
  for (const { offset, length } of needed) {
    for (let at = offset; at < offset + length; ) {
      const chunk = Math.floor(at / stored.chunkSize);
      const end = Math.min(offset + length, (chunk + 1) * stored.chunkSize);
      unknown.set(chunk, (unknown.get(chunk) ?? 0) + end - at);
      at = end;
    }
    for (let number = Math.floor(offset / pieceSize); number * pieceSize < offset + length; number++) numbers.add(number);
  }
  const isPartial = (number: number) => {
    const chunk = Math.floor((number * pieceSize) / stored.chunkSize);
    return (unknown.get(chunk) ?? 0) < Math.min(stored.chunkSize, stored.size - chunk * stored.chunkSize);
  };
  return { candidate, file, first: [...numbers].filter(isPartial), later: [...numbers].filter((number) => !isPartial(number)), wanted: new Map(), records: new Map(), blocks: new Set() };
}

/** Fetches the lists of these pieces and searches the old data for them. Returns the files whose lists came. */
async function searchFor(pack: PiecePack, searches: readonly { search: Search; numbers: readonly number[] }[], data: readonly OldData[], signal: AbortSignal | undefined): Promise<Search[]> {
  const asked = searches.map(({ search, numbers }) => ({ search, numbers, blocks: [...new Set(numbers.map(blockOf))].filter((block) => !search.blocks.has(block)) }));
  const bytes = await readRanges(pack, asked.flatMap(({ search, blocks }) => blocks.map((block) => blockRange(search.file, block))), signal);
  if (bytes === undefined) return [];
  const places = new PieceSearch<PieceRecord & { of: Wanted }>();
  const listed: Search[] = [];
  for (const { search, numbers, blocks } of asked) {
    if (!blocks.every((block) => keepBlock(search, block, bytes(blockRange(search.file, block)), pack))) continue;
    for (const number of numbers) {
      const piece = search.records.get(number);
      if (piece === undefined) continue;
      const of: Wanted = { piece };
      search.wanted.set(number, of);
      places.add({ ...piece, of });
    }
    listed.push(search);
  }
  for (const from of data) {
    if (places.isEmpty) break;
    await places.scan(from.read(), ({ of }, at) => void (of.found = { from, at }), signal);
    // A search takes seconds: screens and network get their turn between two files.
    await setImmediate();
  }
  return listed;
}

function keepBlock(search: Search, block: number, bytes: Buffer, pack: PiecePack): boolean {
  const records = parseBlock(bytes, search.file, block, { dataAt: pack.layout.dataAt, size: pack.size });
  for (const record of records ?? []) search.records.set(record.offset / pieceSize, record);
  search.blocks.add(block);
  return records !== undefined;
}

/** Reads ranges of the pack, neighbours together; undefined where they cannot be had. */
async function readRanges(pack: PiecePack, ranges: readonly { start: number; end: number }[], signal: AbortSignal | undefined): Promise<((range: { start: number; end: number }) => Buffer) | undefined> {
  const runs: { start: number; end: number; ranges: { start: number; end: number }[] }[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = runs.at(-1);
    if (last !== undefined && range.start - last.end < requestCost) {
      last.ranges.push(range);
      last.end = range.end;
    } else runs.push({ ...range, ranges: [range] });
  }
  const parts = new Map<number, Buffer>();
  for (let first = 0; first < runs.length; first += readAtOnce) {
    signal?.throwIfAborted();
    const some = runs.slice(first, first + readAtOnce);
    const read = await Promise.all(some.map((run) => pack.read(run).catch(() => undefined)));
    signal?.throwIfAborted();
    for (const [i, { start, end, ranges: inside }] of some.entries()) {
      const bytes = read[i];
      if (bytes?.length !== end - start) return undefined;
      for (const range of inside) parts.set(range.start, bytes.subarray(range.start - start, range.end - start));
    }
  }
  return ({ start }) => parts.get(start)!;
}

/** Of each stored chunk the less: itself, or the pieces of it that were not found. */
function cheapest({ candidate: { stored, needed }, wanted }: Search, file: string): PiecePlan {
  const byChunk = new Map<number, ByteRange[]>();
  for (const { offset, length } of needed) {
    for (let at = offset; at < offset + length; ) {
      const chunk = Math.floor(at / stored.chunkSize);
      const end = Math.min(offset + length, (chunk + 1) * stored.chunkSize);
      const parts = byChunk.get(chunk);
      if (parts === undefined) byChunk.set(chunk, [{ offset: at, length: end - at }]);
      else parts.push({ offset: at, length: end - at });
      at = end;
    }
  }
  const plan: PiecePlan = { file, copies: [], fetched: [], runs: [], stored: [] };
  let before = -2;
  for (const [chunk, parts] of [...byChunk].sort(([a], [b]) => a - b)) {
    const pieces = piecesOf(parts, wanted);
    const missing = pieces?.flatMap(({ piece, found }) => (found === undefined ? [piece] : []));
    const whole = (stored.chunkSizes[chunk] ?? Infinity) + (before === chunk - 1 ? 0 : requestCost);
    if (pieces === undefined || missing === undefined || addedCost(plan.fetched.at(-1), missing) > whole) {
      plan.stored.push(...parts);
      before = chunk;
      continue;
    }
    for (const piece of missing) addPiece(plan.fetched, piece);
    for (const { piece, found } of pieces) if (found !== undefined) addCopy(plan.copies, { offset: piece.offset, length: piece.length, ...found });
  }
  plan.runs = planStoredRanges(stored, plan.stored);
  return plan;
}

function foundOf({ wanted }: Search, numbers: readonly number[]): number {
  return numbers.filter((number) => wanted.get(number)?.found !== undefined).length;
}

/** What these pieces, of stored chunks of which nothing is known, save against the chunks, at most. */
function savedBy({ candidate: { stored }, wanted }: Search, numbers: readonly number[]): number {
  const chunks = Map.groupBy(numbers, (number) => Math.floor((number * pieceSize) / stored.chunkSize));
  return [...chunks].reduce((sum, [chunk, inside]) => {
    const missing = inside.flatMap((number) => wanted.get(number)).flatMap((one) => (one === undefined || one.found !== undefined ? [] : [one.piece]));
    return sum + Math.max(0, (stored.chunkSizes[chunk] ?? 0) - addedCost(undefined, missing));
  }, 0);
}

/** The next pieces to look for among nothing known: some blocks from here and there in the file, a few times as many pieces as were looked for so far. */
function takeLater(search: Search): number[] {
  const blocks = [...Map.groupBy(search.later, blockOf).values()];
  const step = Math.max(1, Math.floor(search.later.length / (search.wanted.size * growth)));
  const isNext = (i: number) => Math.floor(i / blocksTogether) % step === 0;
  search.later = blocks.flatMap((numbers, i) => (isNext(i) ? [] : numbers));
  return blocks.flatMap((numbers, i) => (isNext(i) ? numbers : []));
}

/** The pieces these parts lie in, in order; undefined where one is not listed. */
function piecesOf(parts: readonly ByteRange[], wanted: ReadonlyMap<number, Wanted>): Wanted[] | undefined {
  const numbers = new Set<number>();
  for (const { offset, length } of parts) for (let number = Math.floor(offset / pieceSize); number * pieceSize < offset + length; number++) numbers.add(number);
  const pieces = [...numbers].map((number) => wanted.get(number));
  return pieces.every((one) => one !== undefined) ? pieces : undefined;
}

function addedCost(last: PieceRun | undefined, missing: readonly PieceRecord[]): number {
  let cost = 0;
  let end = last?.end ?? -Infinity;
  for (const { at, storedSize } of missing) {
    cost += at >= end && at - end < requestCost ? at - end + storedSize : requestCost + storedSize;
    end = at + storedSize;
  }
  return cost;
}

function addPiece(runs: PieceRun[], piece: PieceRecord): void {
  const last = runs.at(-1);
  const end = piece.at + piece.storedSize;
  if (last !== undefined && piece.at >= last.end && piece.at - last.end < requestCost && end - last.start <= longestRun) {
    last.pieces.push(piece);
    last.end = end;
  } else runs.push({ start: piece.at, end, pieces: [piece] });
}

function addCopy(copies: PieceCopy[], copy: PieceCopy): void {
  const last = copies.at(-1);
  if (last !== undefined && last.from === copy.from && last.offset + last.length === copy.offset && last.at + last.length === copy.at && last.length < 1024 * 1024) last.length += copy.length;
  else copies.push(copy);
}

/** What of a plan is left to do where only these parts of the file are not right yet. */
export function leftOfPieces(plan: PiecePlan, stored: StoredFile, wrong: readonly ByteRange[]): PiecePlan {
  const touches = ({ offset, length }: ByteRange) => wrong.some((part) => part.offset < offset + length && offset < part.offset + part.length);
  const fetched: PieceRun[] = [];
  for (const piece of plan.fetched.flatMap(({ pieces }) => pieces).filter(touches)) addPiece(fetched, piece);
  const whole = plan.stored.filter(touches);
  return { ...plan, fetched, stored: whole, runs: planStoredRanges(stored, whole), copies: plan.copies.filter(touches) };
}
