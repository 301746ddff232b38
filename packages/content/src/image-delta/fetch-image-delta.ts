import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { exportWim, openWim, openWimFile, WimError } from "@prestage/wim";
import type { WimFile } from "@prestage/wim";
import { z } from "zod";
import { fetchChunkLists } from "../fetch/chunk-lists.ts";
import { syncPath, writeDurably } from "../durable-files.ts";
import { RangesIgnored } from "../fetch/content-source.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { ContentError } from "../error.ts";
import { fetchWhole } from "../fetch/fetch-description.ts";
import { readOrFetchIndex } from "../fetch/fetch-version.ts";
import type { WantedVersion } from "../fetch/fetch-version.ts";
import { piecesOf } from "../description/file-pieces.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import { sha256Schema } from "../description/schema.ts";
import type { ContentIndex, IndexFile } from "../description/schema.ts";
import { verifyFiles } from "../cache/verify-files.ts";
import { openPatchIndex, patchFileNames } from "../patches/patch-index.ts";
import type { PatchIndex } from "../patches/patch-index.ts";
import { oldResources } from "../pieces/old-data.ts";
import { openPack } from "../pieces/piece-pack.ts";
import { planPieces, worthPieces } from "../pieces/plan-pieces.ts";
import { resourcesBySha256 } from "../cache/image-resources.ts";
import { missingData } from "./missing-data.ts";
import type { MissingData } from "./missing-data.ts";
import { chunksInBase } from "./base-lists.ts";
import type { OlderImage } from "./base-lists.ts";
import type { ImageChunks } from "../cache/image-chunks.ts";
import { chunkCandidates, priceChunked, requestsOf, sharedData, tableRanges, without } from "./chunked-data.ts";
import type { ChunkedData, PlanPieces } from "./chunked-data.ts";
import { makeChunked } from "./make-chunked.ts";
import { writeMadeWim } from "./made-data.ts";
import type { DeltaWork, NamedData } from "./made-data.ts";
import { dividePatched, makePatched, patchRanges } from "./patched-data.ts";
import type { PatchedData } from "./patched-data.ts";
import { joined, RangeImage } from "./range-image.ts";

/** An image as it can be applied: a WIM, and those that hold the data it leaves out. `bytes`: what was fetched for it. */
export interface ImageDelta { wim: string; /** Which image of `wim`. */ image: number; references: string[]; bytes: number }
export interface ImageDeltaOptions extends FetchOptions {
  /** Before data are fetched. */
  onPlanned?: (planned: { bytes: number; described: number; files: number; base: string }) => void;
}

/** Where a delta would cost more than this part of the image, the image is fetched like any other file. */
export const worthIt = 0.8;
const fileSchema = z.strictObject({ size: z.int(), sha256: sha256Schema });
/** `patched`: the WIM of the data made by patches, where there are any. */
const recordSchema = fileSchema.extend({ base: sha256Schema, patched: fileSchema.optional() });

/**
 * Makes one image of a revised OS image out of the older one on the disk: fetches its tables, its tree and the data the older one does not
 * have, and writes them as a delta WIM beside it, to be applied together with it. Power may go at any moment: what was fetched stays.
 * Undefined where the disk holds no whole older image, or hardly anything would be saved.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED
 */
export async function fetchImageDelta(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, image: number, options: ImageDeltaOptions = {}): Promise<ImageDelta | undefined> {
  const { contentId } = wanted;
  const { index, bytes: indexBytes } = await readOrFetchIndex(cache, sources, wanted, options);
  const [file] = index.files;
  if (index.shape !== "image" || file === undefined) return undefined;
  const sparse = `${cache.partialPath(contentId, file.sha256)}.sparse`;
  const made = await makeDelta(cache, sources, wanted, image, { index, indexBytes, file, sparse }, { ...options, rangesOnly: true }).catch(wholeFilesOnly);
  // Whichever way is taken now, what was begun on this one is as large as the image, and nothing else would remove it.
  await rm(sparse, { force: true });
  await rm(`${sparse}-patched`, { recursive: true, force: true });
  return made;
}

interface DeltaTarget { index: ContentIndex; indexBytes: number; file: IndexFile; /** Where the image's parts are gathered. */ sparse: string }

async function makeDelta(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, image: number, { index, indexBytes, file, sparse }: DeltaTarget, options: ImageDeltaOptions): Promise<ImageDelta | undefined> {
  const { contentId } = wanted;
  const kept = await keptDelta(cache, wanted, image, options.signal);
  if (kept !== undefined) return kept;
  const base = await wholeBase(cache, wanted.earlierContentIds, options.signal);
  if (base === undefined) return undefined;
  const { lists, bytes: listBytes } = await fetchChunkLists(sources, contentId, index, [file], options);
  const pieces = piecesOf(file, lists.get(file.path));
  if (pieces === undefined) return undefined;
  const source = await RangeImage.open(sparse, file.size, pieces, sources, contentId, options);
  const baseWim = await openWimFile(base.path);
  try {
    const wim = await openWim(source.borrowed()).catch(unsupported);
    if (wim === undefined) return undefined;
    const missing = await missingData(wim, image, index, baseWim, base.index);
    // Two files of one SHA-1: a WIM cannot hold both. Nobody has such files but who made them to be mistaken.
    if (missing.some(({ sha1 }) => baseWim.blobs.has(sha1))) return undefined;
    const patches = await fetchPatchList(sources, wanted, base.contentId, missing, options);
    const older = { wim: baseWim, index: base.index, chunks: await cache.readChunks(base.contentId, base.index), resources: await resourcesBySha256(baseWim, base.index) };
    const divided = dividePatched(missing, patches?.value, older.resources);
    const { chunked, chunks, listed } = await divideChunked(source, sources, wanted, { divided, index, image, older, chunkSize: wim.header.chunkSize }, options);
    const [raw, patched] = [without(divided.raw, chunked, ({ sha1 }) => sha1), without(divided.patched, chunked, ({ data }) => data.sha1)];
    const planned = sizeOf(joined(raw.map(rangeOf))) + sizeOf(patchRanges(patched)) + sizeOf(chunked.flatMap(requestsOf));
    const described = indexBytes + listBytes + listed + source.fetched + (patches?.bytes.length ?? 0);
    if (planned + described > wanted.storedBytes * worthIt) return undefined;
    options.onPlanned?.({ bytes: planned, described, files: missing.length, base: base.contentId });
    let fetched = 0;
    const onBytes = (count: number) => {
      fetched += count;
      options.onProgress?.({ done: Math.min(fetched, planned), total: planned });
    };
    const work = { folder: `${sparse}-patched`, contentId, from: base.contentId, base: baseWim, sources, options, onBytes };
    const attempts = [await makePatched(patched, work), await makeChunked(chunked, chunks, work)];
    const [made, failed] = [attempts.flatMap((one) => one.made.map(({ data }) => data)), attempts.flatMap((one) => one.failed.map(({ data }) => data))];
    await fetchMissing(source, sources, [...raw, ...failed], options, onBytes);
    await source.sync();
    const references = await writeDelta(cache, contentId, image, { sparse, base: baseWim, baseId: base.contentId, made, work, signal: options.signal });
    return { wim: deltaPaths(cache, contentId, image).wim, image: 1, references: [base.path, ...references], bytes: described + fetched };
  } finally {
    await baseWim.close();
    await source.close();
  }
}

interface Divided { divided: { raw: MissingData[]; patched: PatchedData[] }; index: ContentIndex; image: number; older: OlderImage; chunkSize: number }

/** Which of the data are put together from chunks of the older image. `listed`: bytes of chunk lists fetched to know it; the tables are counted by `source`. */
async function divideChunked(source: RangeImage, sources: readonly ContentSource[], { contentId, patches }: WantedVersion, { divided, index, image, older, chunkSize }: Divided, options: FetchOptions): Promise<{ chunked: ChunkedData[]; chunks: ImageChunks; listed: number }> {
  const candidates = chunkCandidates(divided.raw, divided.patched, index, image, older.index);
  const { lists, bytes: listed } = await fetchChunkLists(sources, contentId, index, candidates.map(({ file }) => file), options);
  const chunks = await chunksInBase(older, candidates, lists, index.chunking, options.signal);
  const shared = sharedData(candidates, lists, chunks);
  if (shared.length === 0) return { chunked: [], chunks, listed };
  await source.fetchRanges(tableRanges(shared, chunkSize), sources, () => undefined);
  const here = await openWim({ ...source.borrowed(), read: (offset, length) => source.readHere(offset, length) });
  let fine = 0;
  const byPieces: PlanPieces = async (wanted) => {
    const pack = worthPieces(wanted) ? await openPack(sources, contentId, index, patches ?? [], options) : undefined;
    if (pack === undefined) return new Map();
    const plans = await planPieces(pack, wanted, oldResources(older.wim, older.index, older.resources), options.signal);
    fine = pack.fetched;
    return plans;
  };
  return { chunked: await priceChunked(shared, here, chunks, divided.patched, byPieces), chunks, listed: listed + fine };
}

/** A delta is made of ranges: where none can be had the image is fetched whole. */
function wholeFilesOnly(cause: unknown): undefined {
  if (cause instanceof RangesIgnored) return undefined;
  throw cause;
}

/** An image this way cannot handle (solid, LZMS) is fetched whole. */
function unsupported(cause: unknown): undefined {
  if (cause instanceof WimError) return undefined;
  throw cause;
}

/** The patches from the older image, where they are likely to be less than what they replace. */
async function fetchPatchList(sources: readonly ContentSource[], wanted: WantedVersion, from: string, missing: readonly MissingData[], options: FetchOptions): Promise<{ value: PatchIndex; bytes: Buffer } | undefined> {
  const offer = wanted.patches?.find((one) => one.from === from);
  if (offer === undefined || offer.indexBytes > sizeOf(missing.map(rangeOf))) return undefined;
  const list = await fetchWhole(sources, wanted.contentId, patchFileNames(from).index, (bytes) => openPatchIndex(bytes, { from, to: wanted.contentId, sha256: offer.indexSha256 }), { ...options, rounds: 1, limit: offer.indexBytes }).catch(() => undefined);
  options.signal?.throwIfAborted();
  return list;
}

export const sizeOf = (ranges: readonly { start: number; end: number }[]): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);
const rangeOf = ({ resource }: MissingData) => ({ start: resource.offset, end: resource.offset + resource.storedSize });

function deltaPaths(cache: LocalCache, contentId: string, image: number): { folder: string; wim: string; patched: string; record: string } {
  const folder = join(cache.folderOf(contentId), "delta");
  return { folder, wim: join(folder, `image-${image}.wim`), patched: join(folder, `image-${image}-patched.wim`), record: join(folder, `image-${image}.json`) };
}

/** What an earlier attempt finished, if both it and its base are still right. */
async function keptDelta(cache: LocalCache, wanted: WantedVersion, image: number, signal: AbortSignal | undefined): Promise<ImageDelta | undefined> {
  const paths = deltaPaths(cache, wanted.contentId, image);
  const record = await readFile(paths.record, "utf8").then((text) => recordSchema.parse(JSON.parse(text))).catch(() => undefined);
  if (record === undefined || !wanted.earlierContentIds.includes(record.base)) return undefined;
  const base = await wholeBase(cache, [record.base], signal);
  const files = [{ path: paths.wim, size: record.size, sha256: record.sha256 }, ...(record.patched === undefined ? [] : [{ path: paths.patched, ...record.patched }])];
  const bad = await verifyFiles(files.map((file) => ({ ...file, name: file.path })), signal === undefined ? {} : { signal });
  return base === undefined || bad.length > 0 ? undefined : { wim: paths.wim, image: 1, references: [base.path, ...files.slice(1).map(({ path }) => path)], bytes: 0 };
}

/** The first of the older images that is on the disk, right to the last bit. */
async function wholeBase(cache: LocalCache, contentIds: readonly string[], signal: AbortSignal | undefined): Promise<{ contentId: string; path: string; index: ContentIndex } | undefined> {
  for (const contentId of contentIds) {
    const index = await cache.readIndex(contentId);
    const [file] = index?.files ?? [];
    if (index?.shape !== "image" || file === undefined) continue;
    const path = cache.filePath(contentId, file.path);
    if (!(await lstat(path).then((status) => status.isFile() && status.size === file.size, () => false))) continue;
    const bad = await verifyFiles([{ path, name: path, size: file.size, sha256: file.sha256, spans: file.spans }], signal === undefined ? {} : { signal });
    if (bad.length === 0) return { contentId, path, index };
  }
  return undefined;
}

/** Fetches what an earlier attempt has not; a source whose bytes are wrong is not asked again for them. */
async function fetchMissing(source: RangeImage, sources: readonly ContentSource[], missing: readonly MissingData[], options: ImageDeltaOptions, onBytes: (count: number) => void): Promise<void> {
  // Without tables to fetch: only what lies in the file is read, and checked.
  const here = await openWim({ ...source.borrowed(), read: (offset, length) => source.readHere(offset, length) });
  let wrong = await wrongData(here, missing, options.signal);
  for (let usable = [...sources]; wrong.length > 0; ) {
    const [first] = usable;
    if (first === undefined) throw new ContentError("PRESTAGE_CONTENT_FETCH_FAILED", `Expected correct bytes of the image from ${sources.length} distribution point(s); ${wrong.length} file(s) arrived altered. Validate the content at the site.`);
    await source.fetchRanges(wrong.map(rangeOf), usable, onBytes);
    wrong = await wrongData(here, wrong, options.signal);
    if (wrong.length === 0) return;
    options.onSourceFailed?.({ source: first.name, reason: `${wrong.length} file(s) of the image arrived altered`, round: 1 });
    usable = usable.slice(1);
  }
}

async function wrongData(wim: WimFile, data: readonly MissingData[], signal: AbortSignal | undefined): Promise<MissingData[]> {
  const wrong: MissingData[] = [];
  for (const one of data) {
    signal?.throwIfAborted();
    if (!(await isRight(wim, one))) wrong.push(one);
  }
  return wrong;
}

async function isRight(wim: WimFile, { sha1, sha256, resource }: MissingData): Promise<boolean> {
  const [byWim, byIndex] = [createHash("sha1"), createHash("sha256")];
  try {
    for await (const bytes of wim.readResource(resource)) {
      byWim.update(bytes);
      if (sha256 !== undefined) byIndex.update(bytes);
    }
  } catch {
    return false;
  }
  return byWim.digest("hex") === sha1 && (sha256 === undefined || byIndex.digest("hex") === sha256);
}

interface DeltaParts { sparse: string; base: WimFile; baseId: string; made: readonly NamedData[]; work: Pick<DeltaWork, "folder" | "contentId">; signal: AbortSignal | undefined }

/** The delta takes its name when it is whole, its record after it. Returns the WIMs it needs beside the base. */
async function writeDelta(cache: LocalCache, contentId: string, image: number, { sparse, base, baseId, made, work, signal }: DeltaParts): Promise<string[]> {
  const paths = deltaPaths(cache, contentId, image);
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  if (made.length > 0) await writeMadeWim(made, work, paths.patched, signal);
  const patched = made.length > 0 ? await openWimFile(paths.patched) : undefined;
  const wim = await openWimFile(sparse);
  try {
    await exportWim({ images: [{ wim, image }], without: [base, ...(patched === undefined ? [] : [patched])], integrity: false }, `${paths.wim}.new`, signal === undefined ? {} : { signal });
  } finally {
    await wim.close();
    await patched?.close();
  }
  const record = { base: baseId, ...(await hashOf(`${paths.wim}.new`)), ...(patched !== undefined && { patched: await hashOf(paths.patched) }) };
  await rename(`${paths.wim}.new`, paths.wim);
  await syncPath(paths.folder);
  await writeDurably(paths.record, Buffer.from(JSON.stringify(record)));
  return patched === undefined ? [] : [paths.patched];
}

async function hashOf(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(bytes);
    size += bytes.length;
  }
  return { size, sha256: hash.digest("hex") };
}
