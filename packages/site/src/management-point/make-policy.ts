import { stat } from "node:fs/promises";
import { join } from "node:path";
import { offeredPatches } from "@prestage/content";
import type { OfferedPatches } from "@prestage/content";
import type { ObjectDefinition, Offer, Policy, PolicyAnswer, PolicyContent, PolicyRequest } from "@prestage/contract";
import { contentReferences, deploysOperatingSystem, listBases, listedContent as listed } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { canonicalJson, signDocument } from "@prestage/trust";
import { sql } from "kysely";
import type { SiteContext } from "../site-context.ts";
import { SiteError } from "../error.ts";
import { chooseOffers, deploymentsReaching, nextOffer } from "../store/deployments.ts";
import { deviceVariables } from "../store/device-variables.ts";
import { listDistributionPoints } from "../store/distribution-points.ts";
import { objectRevisions } from "../store/objects.ts";
import { runsOf } from "../store/runs.ts";
import { openSequence } from "../store/sequences.ts";
import { relatedVersions, unlikeVersions } from "../store/unlike-versions.ts";
import type { EnrolledDevice } from "./authenticate.ts";

const policyLifetimeMs = 24 * 3_600_000;

/**
 * Answers a device's policy request: what it is offered, and - of the deployment it chose - the sequence and the
 * content versions, fixed now, so that a run is one consistent set.
 * @throws SiteError
 */
export async function makePolicy(context: SiteContext, device: EnrolledDevice, request: PolicyRequest): Promise<PolicyAnswer> {
  const reaching = await deploymentsReaching(context.db, device);
  const asking = { preferred: request.preferredDeploymentId, chosen: request.deploymentId === undefined ? undefined : await runningDeployment(context, device.id), unattended: await isUnattended(context, request.mediaId), runs: await runsOf(context.db, device.id) };
  const offers = await withHighImpact(context, chooseOffers(reaching, asking, context.now()));
  const chosen = request.deploymentId === undefined ? undefined : offers.find((offer) => offer.deploymentId === request.deploymentId);
  if (request.deploymentId !== undefined && chosen === undefined) {
    throw new SiteError("PRESTAGE_SITE_NOT_OFFERED", `Expected deployment ${request.deploymentId} among those offered to this computer; it is not any more. Choose again.`);
  }
  const selected = chosen === undefined ? undefined : await selectedPolicy(context, device, chosen);
  const now = context.now();
  const policy: Policy = {
    format: "prestage-policy-v1", keyringVersion: context.keys.keyring.version, deviceKeyId: device.keyId, deviceId: device.id, deviceName: device.name,
    number: await nextPolicyNumber(context, device.id, selected?.policy),
    issued: now.toISOString(), expires: new Date(now.getTime() + policyLifetimeMs).toISOString(), offers,
    managementPoints: context.configuration.publicUrls,
    ...(offers.length === 0 && { nothingOffered: nothingOffered(request.preferredDeploymentId, nextOffer(reaching, asking, now)) }),
    ...(selected && { selected: selected.policy }),
  };
  return {
    policy: signDocument("policy", canonicalJson(policy), [context.keys.signing.policy]).toString("base64"),
    ...(selected && { taskSequence: selected.taskSequence.toString("base64") }),
  };
}

/** Whether the media it was started from has nobody to ask. */
async function isUnattended(context: SiteContext, mediaId: string): Promise<boolean> {
  const media = await context.db.selectFrom("media").select(sql<boolean>`coalesce((manifest->>'unattended')::boolean, false)`.as("unattended")).where("media_id", "=", mediaId).executeTakeFirst();
  return media?.unattended ?? false;
}

/** The texts are shown before an operating system is deployed, and before nothing else (features.md F149). */
async function withHighImpact(context: SiteContext, offers: readonly Offer[]): Promise<Offer[]> {
  return Promise.all(offers.map(async ({ highImpact, ...offer }) => (highImpact !== undefined && deploysOperatingSystem((await openSequence(context.db, offer.taskSequenceId)).sequence) ? { ...offer, highImpact } : offer)));
}

/** What a device chose last; asking for it again goes on with it. */
async function runningDeployment(context: SiteContext, deviceId: string): Promise<string | undefined> {
  const { policy_deployment: running } = await context.db.selectFrom("device").select("policy_deployment").where("id", "=", deviceId).executeTakeFirstOrThrow();
  return running ?? undefined;
}

async function selectedPolicy(context: SiteContext, device: EnrolledDevice, offer: Policy["offers"][number]): Promise<{ policy: NonNullable<Policy["selected"]>; taskSequence: Buffer }> {
  const { record, payload, sequence } = await openSequence(context.db, offer.taskSequenceId);
  const variables = (await deviceVariables(context.db, device.id, offer.deploymentId)).map(({ name, value, source }) => ({ name, value, source }));
  const content = await resolveContent(context, [...contentReferences(sequence).map((reference) => reference.objectId), ...(await listedContent(context, device, sequence, variables))], await contentOnMedia(context, device));
  const points = await distributionPointsFor(context, content);
  return {
    policy: {
      deploymentId: offer.deploymentId,
      taskSequence: { id: record.id, name: record.name, sha256: record.sha256 },
      content,
      distributionPoints: points,
      variables,
    },
    taskSequence: signDocument("task-sequence", payload, [context.keys.signing.policy]),
  };
}

/**
 * What a sequence's dynamic lists may come to name: what variables of its device, collections and media name now, and every application and
 * package its media carries, for lists that a step makes. What is not there any more is left out: the step that wants it says so.
 */
async function listedContent(context: SiteContext, device: EnrolledDevice, sequence: TaskSequence, variables: readonly { name: string; value: string }[]): Promise<string[]> {
  const bases = listBases(sequence);
  if (bases.length === 0) return [];
  const media = await context.db.selectFrom("device").innerJoin("media", "media.media_id", "device.media_id").select("manifest").where("id", "=", device.id).executeTakeFirst();
  const named = listed(bases, [...variables, ...(media?.manifest.variables ?? [])]).map(({ objectId }) => objectId);
  const carried = (media?.manifest.content ?? []).filter(({ kind }) => kind === "application" || kind === "package").map(({ objectId }) => objectId);
  const wanted = [...new Set([...named, ...carried])];
  if (wanted.length === 0) return [];
  const there = await context.db.selectFrom("content_object").select("id").where("id", "in", wanted).execute();
  return there.map(({ id }) => id);
}

/** The named distribution points in order, else the site itself - which is always among them where some content is not published anywhere else. */
export async function distributionPointsFor(context: SiteContext, content: readonly Pick<PolicyContent, "objectId">[]): Promise<string[]> {
  const points = (await listDistributionPoints(context.db)).map((point) => point.url);
  if (points.length === 0) return context.publicUrls();
  const confidential = await context.db.selectFrom("content_object").select("id").where("confidential", "=", true).execute();
  const needsSite = content.some(({ objectId }) => confidential.some(({ id }) => id === objectId));
  const own = context.publicUrls().filter((url) => !points.includes(url));
  return needsSite ? [...points.slice(0, 64 - own.length), ...own] : points;
}

/** What the media carries that the computer was staged with. */
async function contentOnMedia(context: SiteContext, device: EnrolledDevice): Promise<string[]> {
  const media = await context.db.selectFrom("device").innerJoin("media", "media.media_id", "device.media_id").select("manifest").where("id", "=", device.id).executeTakeFirst();
  return (media?.manifest.content ?? []).map(({ contentId }) => contentId);
}

/** What is for the site's lint alone stays at the site: agents of before do not know it. */
function toldDefinition(definition: ObjectDefinition): ObjectDefinition {
  if (definition.kind !== "os-image") return definition;
  const { architecture: _, ...told } = definition;
  return told;
}

/** The newest revision of each object, and of every application they depend on or supersede. `held`: versions of any content a computer holds. */
export async function resolveContent(context: SiteContext, objectIds: readonly string[], held: readonly string[] = []): Promise<PolicyContent[]> {
  const resolved = new Map<string, PolicyContent>();
  const open = [...objectIds];
  for (let id = open.shift(); id !== undefined; id = open.shift()) {
    if (resolved.has(id)) continue;
    const [newest, ...earlier] = await objectRevisions(context.db, id);
    const earlierContentIds = [...new Set(earlier.map((revision) => revision.contentId))].filter((contentId) => contentId !== newest.contentId).slice(0, 64);
    const { objectId, kind, name, softwareVersion, revision, contentId, storageSha256, storedBytes, definition } = { objectId: newest.id, ...newest };
    // The pack of pieces, if there is one, lies among the patches as one from the version itself.
    const froms = earlierContentIds.length === 0 ? [] : [contentId, ...earlierContentIds].slice(0, 64);
    const patches = (await Promise.all(froms.map((from) => offeredPatches(context.library, from, contentId)))).filter((offer) => offer !== undefined && offer.bytes > 0) as OfferedPatches[];
    const unlikeContentIds = await unlikeVersions(context, contentId, earlierContentIds, patches.some((offer) => offer.from === contentId));
    const relatedContentIds = held.includes(contentId) ? [] : await relatedVersions(context, contentId, held.filter((one) => !earlierContentIds.includes(one)));
    resolved.set(id, { objectId, kind, name, softwareVersion, revision, contentId, storageSha256, storedBytes, ...(await descriptionSizes(context, contentId)), definition: toldDefinition(definition), earlierContentIds, ...(unlikeContentIds.length > 0 && { unlikeContentIds }), ...(relatedContentIds.length > 0 && { relatedContentIds }), ...(patches.length > 0 && { patches }) });
    if (definition.kind === "application") open.push(...definition.dependencies, ...(definition.supersedes ?? []));
  }
  return [...resolved.values()].sort((a, b) => (a.objectId < b.objectId ? -1 : 1));
}

/** Of a version that is damaged at the site, nothing is said: a distribution point may have it whole. */
async function descriptionSizes(context: SiteContext, contentId: string): Promise<Pick<PolicyContent, "indexBytes" | "storageBytes">> {
  const folder = context.library.folderOf(contentId);
  const [index, storage] = await Promise.all(["index.json", "storage.json"].map((name) => stat(join(folder, name)).then((status) => status.size, () => 0)));
  return { ...(index && index >= 2 && { indexBytes: index }), ...(storage && storage >= 2 && { storageBytes: storage }) };
}

/** With a deployment chosen, what the device may ask for from now on: its content, and the secrets its steps name. */
async function nextPolicyNumber(context: SiteContext, deviceId: string, selected: Policy["selected"]): Promise<number> {
  const chosen = selected && { policy_content: selected.content.map((content) => content.contentId), policy_deployment: selected.deploymentId, policy_sequence: selected.taskSequence.sha256 };
  const { policy_number } = await context.db
    .updateTable("device")
    .set({ policy_number: sql<number>`policy_number + 1`, ...chosen })
    .where("id", "=", deviceId)
    .returning("policy_number")
    .executeTakeFirstOrThrow();
  return policy_number;
}

function nothingOffered(preferredDeploymentId: string | undefined, next: Date | undefined): string {
  const later = next === undefined ? "" : ` at the moment; the next is from ${next.toISOString()} on`;
  if (preferredDeploymentId !== undefined) return `The deployment ${preferredDeploymentId}, which SMSTSPreferredAdvertID names, is not available to this computer${later}.`;
  return `No task sequence is deployed to this computer for media${later.replace("the next is from", "the next is available from")}.`;
}
