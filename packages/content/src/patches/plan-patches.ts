import { lstat } from "node:fs/promises";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { fetchWhole } from "../fetch/fetch-description.ts";
import type { CacheAnswer, LocalCache } from "../cache/local-cache.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { requestCost } from "../description/stored-ranges.ts";
import { isPieceOffer } from "../pieces/piece-pack.ts";
import { verifyFiles } from "../cache/verify-files.ts";
import type { PlannedPatch } from "./apply-patch.ts";
import { openPatchIndex, patchFileNames } from "./patch-index.ts";
import type { FilePatch } from "./patch-index.ts";

/** The lists of patches fetched to plan with: the price of knowing, in bytes. */
export interface PatchesInReach { planned: Map<string, PlannedPatch>; fetched: number }

/**
 * The patches that can be used here, by the new file's SHA-256, each the shortest there is: those whose old file the disk holds, right to
 * the last bit. Lists dearer than all that is to be fetched are not asked for; one that can't be had or is malformed is passed over.
 */
export async function patchesInReach(cache: LocalCache, sources: readonly ContentSource[], contentId: string, answer: CacheAnswer, offered: readonly OfferedPatches[], worth: number, options: FetchOptions): Promise<PatchesInReach> {
  const wanted = Map.groupBy(answer.files.filter(({ file, state }) => state !== "hit" && file.size > 0), ({ file }) => file.sha256);
  const best = new Map<string, { patch: FilePatch; from: string; bases: string[] }>();
  let fetched = 0;
  for (const offer of offered.filter((one) => !isPieceOffer(one, contentId))) {
    const held = await cache.readIndex(offer.from);
    if (held === undefined || wanted.size === 0 || offer.indexBytes + requestCost >= worth) continue;
    const list = await fetchWhole(sources, contentId, patchFileNames(offer.from).index, (bytes) => openPatchIndex(bytes, { from: offer.from, to: contentId, sha256: offer.indexSha256 }), { ...options, rounds: 1, limit: offer.indexBytes }).catch(() => undefined);
    options.signal?.throwIfAborted();
    if (list === undefined) continue;
    fetched += list.bytes.length;
    const places = Map.groupBy(held.files, (file) => file.sha256);
    for (const patch of list.value.files) {
      if (!wanted.has(patch.sha256) || bytesOfPatch(patch) >= bytesOfPatch(best.get(patch.sha256)?.patch)) continue;
      const bases = await present((places.get(patch.from.sha256) ?? []).map((file) => cache.filePath(offer.from, file.path)));
      if (bases.length > 0) best.set(patch.sha256, { patch, from: offer.from, bases });
    }
  }
  const planned = new Map<string, PlannedPatch>();
  const right = await rightBases(best, options.signal);
  for (const [sha256, { patch, from }] of best) {
    const base = right.get(sha256);
    const paths = (wanted.get(sha256) ?? []).map(({ file }) => file.path);
    if (base !== undefined) planned.set(sha256, { paths, patch, from, base, bytes: bytesOfPatch(patch) });
  }
  return { planned, fetched };
}

/** What a patch costs: its bytes, and a request for each run of pieces that lie one after the other. */
export function costOfPatch({ patch }: Pick<PlannedPatch, "patch">): number {
  return bytesOfPatch(patch) + requestCost * patch.pieces.length;
}

/** Payload bytes; of none, more than anything. */
export function bytesOfPatch(patch: FilePatch | undefined): number {
  return patch?.pieces.reduce((sum, piece) => sum + piece.storedSize, 0) ?? Infinity;
}

async function present(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await lstat(path).then((status) => status.isFile(), () => false)) found.push(path);
  return found;
}

/** For each patch the first of its bases that is right; all are checked together, those with a bad one again with the next. */
async function rightBases(best: ReadonlyMap<string, { patch: FilePatch; bases: string[] }>, signal: AbortSignal | undefined): Promise<Map<string, string>> {
  const right = new Map<string, string>();
  for (let round = 0; ; round++) {
    const tried = [...best].flatMap(([name, { patch, bases }]) => {
      const path = bases[round];
      return path === undefined || right.has(name) ? [] : [{ path, name, size: patch.from.size, sha256: patch.from.sha256 }];
    });
    if (tried.length === 0) return right;
    const bad = new Set((await verifyFiles(tried, signal === undefined ? {} : { signal })).map(({ file }) => file.name));
    for (const { name, path } of tried) if (!bad.has(name)) right.set(name, path);
  }
}
