import { offeredPatches, patchFilePattern } from "@prestage/content";
import { readdir } from "node:fs/promises";
import type { PatchRecord } from "@prestage/contract";
import type { SiteContext } from "../site-context.ts";
import { listObjects } from "./objects.ts";

/** The patches worth having: from each version on a media that is not revoked to the newest of its object. Boot images have none: a computer starts from its own. */
export async function wantedPatches(context: SiteContext): Promise<PatchRecord[]> {
  const newest = new Map((await listObjects(context.db)).map((object) => [object.id, object]));
  const media = await context.db.selectFrom("media").select("manifest").where("revoked", "is", null).execute();
  const wanted = new Map<string, PatchRecord>();
  for (const { objectId, contentId } of media.flatMap(({ manifest }) => manifest.content)) {
    const object = newest.get(objectId);
    if (object === undefined || object.contentId === contentId || object.kind === "boot-image") continue;
    const offer = await offeredPatches(context.library, contentId, object.contentId);
    wanted.set(`${contentId} ${object.contentId}`, { objectId, name: object.name, from: contentId, to: object.contentId, bytes: offer?.bytes ?? null });
  }
  return [...wanted.values()];
}

/**
 * The packs of pieces worth having, as patches from a version to itself: of the newest versions to which some of these pairs have no patches, whether because none are
 * made or they did not fit.
 */
export async function wantedPieces(context: SiteContext, pairs: readonly PatchRecord[]): Promise<PatchRecord[]> {
  if (!context.configuration.pieces) return [];
  const wanted = new Map(pairs.filter((pair) => pair.bytes === null).map((pair) => [pair.to, pair]));
  return Promise.all([...wanted.values()].map(async (pair) => ({ ...pair, from: pair.to, bytes: (await offeredPatches(context.library, pair.to, pair.to))?.bytes ?? null })));
}

/** Every pair of versions with patches in the library, wanted or not. */
export async function keptPatches(context: SiteContext): Promise<{ from: string; to: string }[]> {
  const versions = await context.db.selectFrom("object_revision").select("content_id").distinct().execute();
  const kept: { from: string; to: string }[] = [];
  for (const { content_id: to } of versions) {
    const names = await readdir(context.library.folderOf(to)).catch(() => []);
    for (const from of new Set(names.filter((name) => patchFilePattern.test(name)).map((name) => name.slice(6, 70)))) kept.push({ from, to });
  }
  return kept;
}
