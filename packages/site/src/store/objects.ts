import type { StoredVersion } from "@prestage/content";
import type { ContentObject, ImportRequest, ObjectDefinition } from "@prestage/contract";
import type { ContentKind } from "@prestage/media";
import { canonicalJson } from "@prestage/trust";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { nextObjectId } from "./object-ids.ts";

/** One revision of an object with the object's own columns. */
export interface ObjectRevision extends ContentObject { storageSha256: string }

function revisions(db: Database) {
  return db
    .selectFrom("content_object")
    .innerJoin("object_revision", "object_id", "id")
    .select(["id", "kind", "name", "revision", "software_version", "content_id", "storage_sha256", "stored_bytes", "definition", "confidential", "object_revision.created as created"]);
}

function fromRow(row: Awaited<ReturnType<ReturnType<typeof revisions>["execute"]>>[number]): ObjectRevision {
  return {
    id: row.id, kind: row.kind, name: row.name, softwareVersion: row.software_version, revision: row.revision, contentId: row.content_id,
    storageSha256: row.storage_sha256, storedBytes: Number(row.stored_bytes), confidential: row.confidential, created: row.created.toISOString(), definition: row.definition,
  };
}

/** The newest revision of every object, in the order of ids. */
export async function listObjects(db: Database, kind?: ContentKind): Promise<ObjectRevision[]> {
  let query = revisions(db).distinctOn("id").orderBy("id").orderBy("revision", "desc");
  if (kind !== undefined) query = query.where("kind", "=", kind);
  return (await query.execute()).map(fromRow);
}

/** All revisions of an object, newest first. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function objectRevisions(db: Database, id: string, kind?: ContentKind): Promise<[ObjectRevision, ...ObjectRevision[]]> {
  const [newest, ...earlier] = (await revisions(db).where("id", "=", id).orderBy("revision", "desc").execute()).map(fromRow);
  if (newest === undefined || (kind !== undefined && newest.kind !== kind)) throw notFound(kind?.replaceAll("-", " ") ?? "object", id);
  return [newest, ...earlier];
}

/** What an import says of the object its content belongs to. */
export type RevisionRequest = Pick<ImportRequest, "kind" | "name" | "softwareVersion" | "update" | "confidential">;

/**
 * Adds a revision, or a new object. A revision equal to the newest in content and definition is that revision: nothing is added.
 * @throws SiteError PRESTAGE_SITE_CONFLICT, PRESTAGE_SITE_NOT_FOUND
 */
export async function keepRevision(db: Database, siteCode: string, request: RevisionRequest, definition: ObjectDefinition, version: StoredVersion): Promise<ObjectRevision> {
  // A damaged version that was imported again is stored anew, and its storage map is another.
  await db.updateTable("object_revision").set({ storage_sha256: version.storageSha256, stored_bytes: version.storedBytes }).where("content_id", "=", version.contentId).where("storage_sha256", "<>", version.storageSha256).execute();
  const taken = await db.selectFrom("content_object").select("id").where("kind", "=", request.kind).where("name", "=", request.name).executeTakeFirst();
  const id = request.update ?? taken?.id;
  if (taken !== undefined && taken.id !== id) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a name no other ${request.kind} has; ${taken.id} is called ${request.name} already.`);
  if (id === undefined) {
    const created = await nextObjectId(db, siteCode);
    await db.insertInto("content_object").values({ id: created, kind: request.kind, name: request.name, confidential: request.confidential === true }).execute();
    return insertRevision(db, created, 1, request, definition, version);
  }
  const [newest] = await objectRevisions(db, id, request.kind);
  if (newest.name !== request.name) await db.updateTable("content_object").set({ name: request.name }).where("id", "=", id).execute();
  if (request.confidential !== undefined && newest.confidential !== request.confidential) await setConfidential(db, id, request.confidential);
  const same = newest.contentId === version.contentId && newest.softwareVersion === request.softwareVersion && canonicalJson(newest.definition).equals(canonicalJson(definition));
  return same ? (await objectRevisions(db, id))[0] : insertRevision(db, id, newest.revision + 1, request, definition, version);
}

/** From now on its content is kept off every distribution point but the site's own, or not. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function setConfidential(db: Database, id: string, confidential: boolean): Promise<ObjectRevision> {
  await db.updateTable("content_object").set({ confidential }).where("id", "=", id).execute();
  return (await objectRevisions(db, id))[0];
}

async function insertRevision(db: Database, id: string, revision: number, request: RevisionRequest, definition: ObjectDefinition, version: StoredVersion): Promise<ObjectRevision> {
  await db
    .insertInto("object_revision")
    .values({
      object_id: id, revision, software_version: request.softwareVersion, content_id: version.contentId, storage_sha256: version.storageSha256,
      stored_bytes: version.storedBytes, definition: JSON.stringify(definition),
    })
    .execute();
  return (await objectRevisions(db, id))[0];
}
