import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { deriveChunkLists, fetchChunkLists } from "./chunk-lists.ts";
import { RangesIgnored } from "./content-source.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { ContentError } from "../error.ts";
import { fetchPlanned } from "./fetch-content.ts";
import { fetchIndex, fetchStorageMap, fetchWhole } from "./fetch-description.ts";
import type { DescriptionSizes, VersionDescription } from "./fetch-description.ts";
import { planFetch } from "./fetch-plan.ts";
import type { FetchPlan, PlanOptions } from "./fetch-plan.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import { checkChunkLists, chunkListBytes } from "../description/index-document.ts";
import { holdsImage, takeFromImages } from "../cache/held-images.ts";
import type { CacheAnswer, LocalCache } from "../cache/local-cache.ts";
import { oldFiles } from "../pieces/old-data.ts";
import { isPieceOffer, openPack } from "../pieces/piece-pack.ts";
import { planPieces, worthPieces } from "../pieces/plan-pieces.ts";
import type { PlannedPatch } from "../patches/apply-patch.ts";
import { costOfPatch, patchesInReach } from "../patches/plan-patches.ts";
import type { ContentIndex, IndexFile, OfferedPatches, StorageMap } from "../description/schema.ts";

/** A version as the signed policy names it; sizes in bytes. */
export interface WantedVersion extends DescriptionSizes {
  contentId: string;
  storageSha256: string;
  /** Of content.wim. */
  storedBytes: number;
  earlierContentIds: readonly string[];
  /** Those of them that have too little of this version for its chunks to be asked for. */
  unlikeContentIds?: readonly string[] | undefined;
  /** Versions of other content that have enough of this one for its chunks to be asked for. */
  relatedContentIds?: readonly string[] | undefined;
  patches?: readonly OfferedPatches[] | undefined;
}
export interface PlannedVersion {
  index: ContentIndex;
  answer: CacheAnswer;
  plan: FetchPlan;
  /** Bytes of index, lists and maps that were fetched to plan with. */
  described: number;
}
export interface FetchVersionOptions extends FetchOptions {
  /** Before anything of the files themselves is fetched; again where a patch was of no use. */
  onPlanned?: (planned: PlannedVersion) => void;
}

/** A patch below this part of what the file is expected to cost whole is taken without asking what its chunks would cost. */
const cheap = 0.5;

/**
 * Plans how a version is brought into the cache, fetching no more of its description than the plan needs: the index; lists of patches for
 * what the disk can patch; storage map and chunk lists for the files that are left. What the cache holds elsewhere is put in its place.
 * `onePass`: the plan for sources without ranges, every file whole. The plan's open files are the caller's to close (`plan.localChunks`).
 * @throws ContentError
 */
export async function planVersion(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, options: FetchOptions & { onePass?: boolean } = {}): Promise<PlannedVersion> {
  const { contentId, earlierContentIds } = wanted;
  const onePass = options.onePass === true;
  const { index, bytes: indexBytes } = await readOrFetchIndex(cache, sources, wanted, options);
  const others = await cache.otherVersions([contentId, ...earlierContentIds]);
  const asked = await cache.ask(contentId, index, earlierContentIds, { others, ...(options.signal && { signal: options.signal }) });
  await cache.adopt(contentId, asked);
  const answer = await takeFromImages(cache, contentId, asked, others, options.signal);
  // What lies in its place is mended chunk by chunk: no patch is less than a chunk or two.
  const mended = onePass ? new Set<string>() : await mendedInPlace(cache, contentId, index, answer);
  const patchable = { ...answer, files: answer.files.filter(({ file }) => !mended.has(file.sha256)) };
  const reach = await patchesInReach(cache, sources, contentId, patchable, onePass ? [] : (wanted.patches ?? []), wanted.storedBytes, options);
  const decided = cheapPatches(index, wanted.storedBytes, reach.planned);
  const left = answer.files.filter(({ file, state }) => state !== "hit" && file.size > 0 && !decided.has(file.sha256)).map(({ file }) => file);
  const description = await describeFiles(cache, sources, wanted, index, left, options, onePass);
  let listed = 0;
  const byPieces: PlanOptions["planPieces"] = async (candidates) => {
    const pack = worthPieces(candidates) ? await openPack(sources, contentId, index, wanted.patches ?? [], options) : undefined;
    if (pack === undefined) return new Map();
    const plans = await planPieces(pack, candidates, await oldFiles(cache, earlierContentIds), options.signal);
    listed = pack.fetched;
    return plans;
  };
  const plan = await planFetch(cache, contentId, answer, description.version, { earlierContentIds, otherContentIds: others, relatedContentIds: wanted.relatedContentIds ?? [], patches: reach.planned, decided, onePass, planPieces: byPieces, ...(options.signal && { signal: options.signal }) });
  return { index, answer, plan, described: indexBytes + reach.fetched + description.bytes + listed };
}

/**
 * Brings a version into the cache. `bytes`: everything that was fetched. Every file has been checked when this resolves, and chunks.bin is there.
 * @throws ContentError PRESTAGE_CONTENT_FETCH_FAILED
 */
export async function fetchVersion(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, options: FetchVersionOptions = {}): Promise<{ index: ContentIndex; answer: CacheAnswer; bytes: number }> {
  let first: CacheAnswer | undefined;
  let bytes = 0;
  let onePass = sources.length > 0 && sources.every((source) => source.ranges === false);
  for (let { patches } = wanted; ; patches = wanted.patches?.filter((offer) => isPieceOffer(offer, wanted.contentId))) {
    const done = await planAndFetch(cache, sources, { ...wanted, patches }, onePass, options, (planned) => {
      first ??= planned.answer;
      options.onPlanned?.(planned);
    });
    bytes += done.bytes;
    if (done.planned !== undefined && first !== undefined && !done.again) {
      bytes += await completeChunkLists(cache, sources, wanted, done.planned.index, options);
      return { index: done.planned.index, answer: first, bytes };
    }
    // Nobody who can be reached sends ranges: every one would cost the whole file.
    onePass ||= done.planned === undefined;
  }
}

/** One plan, carried out as far as it goes. `planned` undefined: no source sends ranges; `again`: a patch was of no use. */
async function planAndFetch(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, onePass: boolean, options: FetchVersionOptions, onPlanned: (planned: PlannedVersion) => void): Promise<{ planned?: PlannedVersion; again: boolean; bytes: number }> {
  let received = 0;
  const onProgress: FetchOptions["onProgress"] = (event) => {
    received = event.done;
    options.onProgress?.(event);
  };
  try {
    const planned = await planVersion(cache, sources, wanted, { ...options, onePass, rangesOnly: !onePass });
    received = 0;
    onPlanned(planned);
    const done = await fetchPlanned(cache, sources, wanted.contentId, planned.plan, { ...options, onProgress, rangesOnly: !onePass });
    return { planned, again: done.unpatched.length > 0, bytes: planned.described + done.bytes };
  } catch (cause) {
    if (onePass || !(cause instanceof RangesIgnored)) throw cause;
    return { again: true, bytes: received };
  }
}

/** A version's index, from the disk or a distribution point, and what it cost. @throws ContentError */
export async function readOrFetchIndex(cache: LocalCache, sources: readonly ContentSource[], { contentId, indexBytes: size }: Pick<WantedVersion, "contentId" | "indexBytes">, options: FetchOptions): Promise<{ index: ContentIndex; bytes: number }> {
  const held = await cache.readIndex(contentId);
  if (held !== undefined) return { index: held, bytes: 0 };
  const { index, indexBytes, fetched } = await fetchIndex(sources, contentId, options, { indexBytes: size });
  await cache.keepDescription(contentId, indexBytes);
  return { index, bytes: fetched };
}

/** SHA-256 of the files whose patch is so much less than they are expected to cost whole that nothing else is asked about them. */
export function cheapPatches(index: ContentIndex, storedBytes: number, patches: ReadonlyMap<string, Pick<PlannedPatch, "patch">>): Set<string> {
  const raw = index.files.reduce((sum, file) => sum + file.size, 0);
  return new Set([...patches].filter(([, planned]) => costOfPatch(planned) <= ((planned.patch.size * storedBytes) / raw) * cheap).map(([sha256]) => sha256));
}

/** What has to be known of the files no patch decides: where they lie, and - where the disk may hold parts of them - their chunks. */
async function describeFiles(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, index: ContentIndex, files: readonly IndexFile[], options: FetchOptions, onePass: boolean): Promise<{ version: VersionDescription; bytes: number }> {
  const none: StorageMap = { format: "prestage-storage-v1", wimSize: wanted.storedBytes, wimSha256: "0".repeat(64), files: [] };
  if (files.length === 0) return { version: { index, chunks: Buffer.alloc(0), lists: new Map(), storage: none }, bytes: 0 };
  const { contentId } = wanted;
  const { storage, bytes } = await fetchStorageMap(sources, contentId, index, wanted.storageSha256, options, wanted);
  if (onePass) return { version: { index, chunks: Buffer.alloc(0), lists: new Map(), storage }, bytes };
  const held = await cache.readChunks(contentId, index);
  if (held !== undefined) return { version: { index, chunks: held, lists: chunkListsOf(index, held), storage }, bytes };
  if (index.shape === "image") {
    // The lists of the files inside the image are in it too, and cannot be reckoned from its bytes alone.
    const lists = await fetchWhole(sources, contentId, "chunks.bin", (received) => checkChunkLists(index, received), { ...options, limit: chunkListBytes(index) });
    await cache.keepChunks(contentId, lists.bytes);
    return { version: { index, chunks: lists.bytes, storage }, bytes: bytes + lists.bytes.length };
  }
  const useful = await filesWithParts(cache, wanted, index, files);
  const fetched = await fetchChunkLists(sources, contentId, index, useful, options);
  return { version: { index, chunks: Buffer.alloc(0), lists: fetched.lists, storage }, bytes: bytes + fetched.bytes };
}

/** SHA-256 of the files that are damaged where they lie, at their full length, and whose chunk lists the disk holds. */
async function mendedInPlace(cache: LocalCache, contentId: string, index: ContentIndex, answer: CacheAnswer): Promise<Set<string>> {
  const found = new Set<string>();
  if ((await cache.readChunks(contentId, index)) === undefined) return found;
  for (const { file, state } of answer.files) {
    if (state === "hit" || file.chunks === undefined) continue;
    const status = await lstat(cache.filePath(contentId, file.path)).catch(() => undefined);
    if (status?.isFile() === true && status.size === file.size && status.nlink === 1) found.add(file.sha256);
  }
  return found;
}

/** Those of the files the disk may hold a part of: there is an older version with chunks that is like it, or other content that is, or the file itself, damaged or begun. */
async function filesWithParts(cache: LocalCache, { contentId, earlierContentIds, unlikeContentIds = [], relatedContentIds = [] }: WantedVersion, index: ContentIndex, files: readonly IndexFile[]): Promise<IndexFile[]> {
  if (await cache.holdsChunks([...earlierContentIds.filter((id) => !unlikeContentIds.includes(id)), ...relatedContentIds], index)) return [...files];
  if (await holdsImage(cache, relatedContentIds, index)) return [...files];
  const found: IndexFile[] = [];
  for (const file of files) {
    const places = [cache.filePath(contentId, file.path), cache.assemblyPath(contentId, file.sha256)];
    for (const place of places) {
      if (!(await lstat(place).then((status) => status.isFile(), () => false))) continue;
      found.push(file);
      break;
    }
  }
  return found;
}

async function completeChunkLists(cache: LocalCache, sources: readonly ContentSource[], wanted: WantedVersion, index: ContentIndex, options: FetchOptions): Promise<number> {
  const { contentId } = wanted;
  if ((await cache.readChunks(contentId, index)) !== undefined) return 0;
  const chunks = await deriveChunkLists(cache, contentId, index, [...wanted.earlierContentIds, ...(await cache.otherVersions([contentId, ...wanted.earlierContentIds]))], options.signal);
  if (chunks !== undefined) await cache.keepChunks(contentId, chunks);
  if (chunks !== undefined || !(await lstat(join(cache.folderOf(contentId), "chunks.bin")).then(() => true, () => false))) return 0;
  // An image's lists that were damaged on the disk: nothing is hindered by it, so nothing waits for them.
  const fetched = await fetchWhole(sources, contentId, "chunks.bin", (received) => checkChunkLists(index, received), { ...options, rounds: 1, limit: chunkListBytes(index) }).catch((cause: unknown) => {
    if (cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_FETCH_FAILED") return undefined;
    throw cause;
  });
  if (fetched !== undefined) await cache.keepChunks(contentId, fetched.bytes);
  return fetched?.bytes.length ?? 0;
}
