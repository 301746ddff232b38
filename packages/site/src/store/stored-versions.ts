import { contentReferences } from "@prestage/sequence";
import type { StoredVersionRecord } from "@prestage/contract";
import { notFound, SiteError } from "../error.ts";
import type { Database } from "../database/open-database.ts";
import { listObjects, objectRevisions } from "./objects.ts";
import { listSequences, openSequence } from "./sequences.ts";

/** Every content version some revision points to. */
export async function storedVersions(db: Database): Promise<StoredVersionRecord[]> {
  const rows = await db.selectFrom("object_revision").select(["object_id", "revision", "content_id", "stored_bytes"]).orderBy("content_id").execute();
  const objects = await listObjects(db);
  const newest = new Set(objects.map((object) => object.contentId));
  const confidential = new Set(objects.filter((object) => object.confidential).map((object) => object.id));
  return [...Map.groupBy(rows, (row) => row.content_id)].map(([contentId, group]) => ({
    contentId, storedBytes: Number(group[0]?.stored_bytes ?? 0), objectIds: [...new Set(group.map((row) => row.object_id))].sort(), newest: newest.has(contentId),
    confidential: group.some((row) => confidential.has(row.object_id)),
  }));
}

/** Versions that must stay in the library: a revision's, and those a computer's policy has named (it may be fetching them now). */
export async function neededVersions(db: Database): Promise<Set<string>> {
  const [versions, devices] = [await storedVersions(db), await db.selectFrom("device").select("policy_content").where("state", "=", "enrolled").execute()];
  return new Set([...versions.map((version) => version.contentId), ...devices.flatMap((device) => device.policy_content)]);
}

/**
 * Removes an object, or one of its revisions, from the site. What refers to it is named, and keeps it: task sequences, applications that depend on
 * it, and - for the revisions they carry - media that are not revoked. Its content goes when the library is collected.
 * @throws SiteError PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_CONFLICT
 */
export async function removeObject(db: Database, id: string, revision: number | undefined): Promise<{ id: string; revisions: number[] }> {
  const all = await objectRevisions(db, id);
  const chosen = revision === undefined ? all : all.filter((one) => one.revision === revision);
  if (chosen.length === 0) throw notFound("revision", `${id} revision ${revision ?? ""}`);
  const [newest] = all;
  const references = [...(chosen.includes(newest) ? await usersOf(db, id) : []), ...(await mediaWith(db, id, new Set(chosen.map((one) => one.revision))))];
  if (references.length > 0) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected nothing to refer to ${id}; found ${references.slice(0, 10).join(", ")}${references.length > 10 ? ` and ${references.length - 10} more` : ""}. Remove it there first; revoke media that are no longer used.`);
  const revisions = chosen.map((one) => one.revision);
  await db.transaction().execute(async (within) => {
    await within.deleteFrom("object_revision").where("object_id", "=", id).where("revision", "in", revisions).execute();
    if (revisions.length === all.length) await within.deleteFrom("content_object").where("id", "=", id).execute();
  });
  return { id, revisions: revisions.toSorted((a, b) => a - b) };
}

async function usersOf(db: Database, id: string): Promise<string[]> {
  const users: string[] = [];
  for (const { id: sequenceId, name } of await listSequences(db)) {
    const { sequence } = await openSequence(db, sequenceId);
    if (contentReferences(sequence).some((reference) => reference.objectId === id)) users.push(`the task sequence ${name} (${sequenceId})`);
  }
  for (const object of await listObjects(db)) {
    if (object.definition.kind === "application" && [...object.definition.dependencies, ...(object.definition.supersedes ?? [])].includes(id)) users.push(`the application ${object.name} (${object.id})`);
  }
  return users;
}

async function mediaWith(db: Database, id: string, revisions: ReadonlySet<number>): Promise<string[]> {
  const media = await db.selectFrom("media").select(["media_id", "manifest"]).where("revoked", "is", null).execute();
  const carries = (one: { objectId: string; revision: number }) => one.objectId === id && revisions.has(one.revision);
  return media.filter(({ manifest }) => manifest.content.some(carries) || carries(manifest.bootImage)).map((row) => `the media ${row.media_id.slice(0, 16)}`);
}
