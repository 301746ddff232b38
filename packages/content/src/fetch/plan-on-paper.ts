import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentLibrary, StoredVersion } from "../library/content-library.ts";
import type { PlannedWay } from "./fetch-plan.ts";
import { cheapPatches } from "./fetch-version.ts";
import { chunksOf } from "./paper-chunks.ts";
import { distinct, placeOf, storedPlaces } from "./paper-places.ts";
import type { PaperPlace } from "./paper-places.ts";
import { digestsIn, isRelated, isUnlike } from "./unlike-version.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import { filesInside } from "../cache/held-images.ts";
import type { FileState } from "../cache/local-cache.ts";
import { listBytes } from "./chunk-lists.ts";
import { deltaOnPaper } from "../image-delta/paper-delta.ts";
import { openPatchIndex, patchFileNames } from "../patches/patch-index.ts";
import type { FilePatch } from "../patches/patch-index.ts";
import { bytesOfPatch, costOfPatch } from "../patches/plan-patches.ts";
import { resourcesBySha256 } from "../cache/image-resources.ts";
import { inImages } from "../image-delta/missing-data.ts";
import { oldResources } from "../pieces/old-data.ts";
import type { OldData } from "../pieces/old-data.ts";
import { isPieceOffer, openStoredPack } from "../pieces/piece-pack.ts";
import { planPieces, worthPieces } from "../pieces/plan-pieces.ts";
import type { PieceCandidate, PiecePlan } from "../pieces/plan-pieces.ts";
import type { IndexFile, OfferedPatches } from "../description/schema.ts";
import { costOf, planStoredRanges, requestCost } from "../description/stored-ranges.ts";
import { openStoredWim } from "../library/single-instance/stored-source.ts";

/** What a computer that holds certain versions, all right, would fetch of another; sizes in bytes. */
export interface PaperPlan {
  state: FileState;
  ways: PlannedWay[];
  /** Payload of the files. */
  bytes: number;
  /** Index, lists and maps fetched to plan with. */
  described: number;
  /** All that the version costs whole, its description too. */
  full: number;
}

/**
 * Plans a fetch from descriptions alone, as `planVersion` does - of an OS image `fetchImageDelta` - on a computer that holds these versions
 * undamaged, and others of other content. `image`: which image of an OS image is applied.
 * @throws ContentError PRESTAGE_CONTENT_NOT_FOUND
 */
export async function planOnPaper(library: ContentLibrary, wantedId: string, heldIds: readonly string[], offered: readonly OfferedPatches[] = [], image = 1, otherIds: readonly string[] = []): Promise<PaperPlan> {
  const wanted = await library.open(wantedId);
  const sizes = await descriptionSizes(wanted);
  const full = wanted.storedBytes + sizes.index + (wanted.index.shape === "image" ? sizes.chunks : sizes.storage);
  if (heldIds.includes(wantedId)) return { state: "hit", ways: [], bytes: 0, described: 0, full };
  const [held, others] = await Promise.all([heldIds, otherIds.filter((id) => !heldIds.includes(id))].map((ids) => Promise.all(ids.map((id) => library.open(id).catch(() => undefined))).then((all) => all.filter((one) => one !== undefined)))) as [StoredVersion[], StoredVersion[]];
  const inside = wanted.index.shape === "image" ? [] : others.flatMap((version) => filesInside(version.index));
  const files = new Set([...[...held, ...others].flatMap((version) => version.index.files), ...inside].map((file) => file.sha256));
  const left = distinct(wanted.index.files.filter((file) => !files.has(file.sha256) && file.size > 0));
  const state = left.size === 0 ? "hit" : held.length > 0 ? "revised" : "missing";
  if (left.size === 0) return { state, ways: [], bytes: 0, described: sizes.index, full };
  const base = wanted.index.shape === "image" ? held.find((version) => version.index.shape === "image") : undefined;
  const delta = base && (await deltaOnPaper(wanted, base, image, sizes.index, offered));
  if (delta !== undefined) return { state, ways: [{ paths: ["image.wim"], way: "delta", bytes: delta.bytes, requests: delta.requests, whole: wanted.storedBytes }], bytes: delta.bytes, described: delta.described, full };
  const reach = await patchesOnPaper(wanted, held, offered, left);
  const decided = cheapPatches(wanted.index, wanted.storedBytes, new Map([...reach.patches].map(([sha256, patch]) => [sha256, { patch }])));
  const open = [...left.values()].filter(([file]) => file !== undefined && !decided.has(file.sha256)).flat();
  const like: StoredVersion[] = [];
  for (const version of held) if (!(await isUnlike(wanted, version, offered.some((offer) => isPieceOffer(offer, wantedId))))) like.push(version);
  const stored = await storedPlaces(wanted);
  const lists = chunkListsOf(wanted.index, await readFile(join(wanted.folder, "chunks.bin")));
  const related: StoredVersion[] = [];
  for (const version of others) if (await isRelated(wanted, version)) related.push(version);
  // As `filesWithParts` asks for them.
  const isListed = wanted.index.shape === "image" || [...like, ...related].some((version) => filesInside(version.index).some((file) => file.chunks !== undefined));
  const looked = others.filter((version) => version.index.shape === wanted.index.shape || related.includes(version));
  const chunks = isListed ? await chunksOf(held, wanted.index, looked, digestsIn(lists.values())) : new Set<string>();
  const places = new Map([...left].map(([sha256, twins]) => [sha256, placeOf(twins, stored, lists, chunks)]));
  const fine = await piecesOnPaper(wanted, held, offered, [...left].flatMap(([sha256, [file]]) => {
    const { stored, missing } = places.get(sha256)!;
    return file === undefined || missing === undefined || reach.patches.has(sha256) ? [] : [{ sha256, path: file.path, stored, needed: missing }];
  }));
  const ways = [...left].map(([sha256, twins]) => chooseWay(twins, places.get(sha256)!, fine.plans.get(sha256), reach.patches.get(sha256), decided.has(sha256)));
  const described = sizes.index + reach.fetched + fine.fetched + (open.length === 0 ? 0 : wanted.index.shape === "image" ? sizes.chunks : sizes.storage + (isListed ? listBytes(wanted.index, open) : 0));
  return { state, ways: ways.sort((a, b) => ((a.paths[0] ?? "") < (b.paths[0] ?? "") ? -1 : 1)), bytes: ways.reduce((sum, way) => sum + way.bytes, 0), described, full };
}

function chooseWay(twins: readonly IndexFile[], { stored, missing }: PaperPlace, fine: PiecePlan | undefined, patch: FilePatch | undefined, decided: boolean): PlannedWay {
  const paths = twins.map((file) => file.path);
  const whole = stored.storedSize;
  const runs = fine !== undefined ? [...fine.runs, ...fine.fetched] : missing && planStoredRanges(stored, missing);
  const byChunks = runs === undefined ? Infinity : costOf(runs);
  if (patch !== undefined && (decided || costOfPatch({ patch }) < Math.min(byChunks, whole))) return { paths, way: "patch", bytes: bytesOfPatch(patch), requests: patch.pieces.length, whole };
  if (runs !== undefined && byChunks < whole) return { paths, way: fine === undefined ? "chunks" : "pieces", bytes: byChunks - requestCost * runs.length, requests: runs.length, whole };
  return { paths, way: "whole", bytes: whole, requests: 1, whole };
}

/** What the pack of pieces, where there is one, makes of these files. */
async function piecesOnPaper(wanted: StoredVersion, held: readonly StoredVersion[], offered: readonly OfferedPatches[], candidates: readonly PieceCandidate[]): Promise<{ plans: ReadonlyMap<string, PiecePlan>; fetched: number }> {
  const pack = worthPieces(candidates) ? await openStoredPack(wanted, offered) : undefined;
  if (pack === undefined) return { plans: new Map(), fetched: 0 };
  const wims = await Promise.all(held.map((version) => openStoredWim(version)));
  try {
    const data: OldData[] = [];
    for (const [i, version] of held.entries()) {
      const index = inImages(version.index);
      if (version.index.shape === "files") data.push(...oldResources(wims[i]!, index, await resourcesBySha256(wims[i]!, index)));
    }
    const plans = await planPieces(pack, candidates, data);
    return { plans, fetched: pack.fetched };
  } finally {
    for (const wim of wims) await wim.close();
  }
}

async function patchesOnPaper(wanted: StoredVersion, held: readonly StoredVersion[], offered: readonly OfferedPatches[], left: ReadonlyMap<string, unknown>): Promise<{ patches: Map<string, FilePatch>; fetched: number }> {
  const patches = new Map<string, FilePatch>();
  let fetched = 0;
  for (const offer of offered.filter((one) => !isPieceOffer(one, wanted.contentId))) {
    const from = held.find((version) => version.contentId === offer.from);
    if (from === undefined || offer.indexBytes + requestCost >= wanted.storedBytes) continue;
    const index = openPatchIndex(await readFile(join(wanted.folder, patchFileNames(offer.from).index)), { from: offer.from, to: wanted.contentId, sha256: offer.indexSha256 });
    fetched += offer.indexBytes;
    const bases = new Set(from.index.files.map((file) => file.sha256));
    for (const patch of index.files) if (left.has(patch.sha256) && bases.has(patch.from.sha256) && bytesOfPatch(patch) < bytesOfPatch(patches.get(patch.sha256))) patches.set(patch.sha256, patch);
  }
  return { patches, fetched };
}

async function descriptionSizes({ folder }: StoredVersion): Promise<{ index: number; chunks: number; storage: number }> {
  const [index, chunks, storage] = await Promise.all(["index.json.zst", "chunks.bin", "storage.json.zst"].map((name) => stat(join(folder, name)).catch(() => stat(join(folder, name.replace(".zst", "")))).then((status) => status.size)));
  return { index: index ?? 0, chunks: chunks ?? 0, storage: storage ?? 0 };
}
