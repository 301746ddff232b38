import { planOnPaper } from "@prestage/content";
import type { ContentPlan } from "@prestage/contract";
import type { Manifest } from "@prestage/media";
import { allSteps, contentReferences, listBases, listedContent } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { resolveContent } from "../management-point/make-policy.ts";
import type { SiteContext } from "../site-context.ts";
import { listObjects, objectRevisions } from "./objects.ts";
import { openSequence } from "./sequences.ts";

/**
 * What a computer started from this media would fetch now, if it ran this task sequence (or the one the media was made for); of `objects` alone, where they are given.
 * @throws SiteError PRESTAGE_SITE_NOT_FOUND
 */
export async function planMedia(context: SiteContext, manifest: Manifest, taskSequenceId = manifest.taskSequence.id, objects?: readonly string[]): Promise<ContentPlan[]> {
  const { sequence } = await openSequence(context.db, taskSequenceId);
  const onMedia = new Set(manifest.content.map((one) => one.contentId));
  const plans: ContentPlan[] = [];
  // Of dynamic lists, what the media's own variables name; a device's are known when it asks.
  const there = new Set((await listObjects(context.db)).map((object) => object.id));
  const listed = listedContent(listBases(sequence), manifest.variables).filter(({ objectId }) => there.has(objectId));
  for (const content of await resolveContent(context, objects ?? [...contentReferences(sequence), ...listed].map((reference) => reference.objectId))) {
    const { objectId, kind, name, revision, contentId, earlierContentIds, patches = [] } = content;
    const held = [contentId, ...earlierContentIds].filter((id) => onMedia.has(id));
    plans.push({ objectId, kind, name, revision, contentId, ...(await planOnPaper(context.library, contentId, held, patches, imageOf(sequence, objectId), [...onMedia])) });
  }
  // One that was removed from the site meanwhile has no newest revision.
  return objects === undefined && there.has(manifest.bootImage.objectId) ? [...plans, await bootImagePlan(context, manifest)] : plans;
}

/** Computers never fetch the environment they have started from. */
async function bootImagePlan({ db }: SiteContext, { bootImage }: Manifest): Promise<ContentPlan> {
  const [newest] = await objectRevisions(db, bootImage.objectId);
  const { kind, name, revision, contentId, storedBytes } = newest;
  return { objectId: newest.id, kind, name, revision, contentId, state: contentId === bootImage.contentId ? "hit" : "revised", ways: [], bytes: 0, described: 0, full: storedBytes };
}

/** Which image of an OS image the sequence applies; one that a variable names is known only when it runs. */
function imageOf(sequence: TaskSequence, osImage: string): number {
  for (const { disabled, with: settings } of allSteps(sequence.steps)) {
    const [reference, index] = [settings?.["osImage"], settings?.["index"]];
    if (disabled !== true && typeof reference === "string" && reference.replaceAll(/[{}]/g, "") === osImage && typeof index === "number") return index;
  }
  return 1;
}
