import { lstat } from "node:fs/promises";
import type { ContentSource, FetchOptions } from "../content-source.ts";
import { fetchWhole } from "../fetch-description.ts";
import type { CacheAnswer, LocalCache } from "../local-cache.ts";
import type { IndexFile, OfferedPatches } from "../schema.ts";
import { requestCost } from "../stored-ranges.ts";
import { verifyFiles } from "../verify-files.ts";
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
  for (const offer of offered) {
    const held = await cache.readIndex(offer.from);
    if (held === undefined || wanted.size === 0 || offer.indexBytes + requestCost >= worth) continue;
    const list = await fetchWhole(sources, contentId, patchFileNames(offer.from).index, (bytes) => openPatchIndex(bytes, { from: offer.from, to: contentId, sha256: offer.indexSha256 }), { ...options, rounds: 1 }).catch(() => undefined);
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
  for (const [sha256, { patch, from, bases }] of best) {
    const base = await firstRight(bases, patch.from, options.signal);
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

async function firstRight(paths: readonly string[], from: Pick<IndexFile, "sha256" | "size">, signal: AbortSignal | undefined): Promise<string | undefined> {
  for (const path of paths) {
    const bad = await verifyFiles([{ path, name: path, ...from }], signal === undefined ? {} : { signal });
    if (bad.length === 0) return path;
  }
  return undefined;
}
