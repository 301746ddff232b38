import { createHash } from "node:crypto";
import type { SequenceRecord } from "@prestage/contract";
import { childReferences, contentReferences, mergeChildren, parseTaskSequenceYaml, taskSequenceSchema } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { canonicalJson } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { nextObjectId } from "./object-ids.ts";
import { objectRevisions } from "./objects.ts";

/** A sequence's newest revision; `payload` is what is signed for devices, and `sequence` what it says: the steps of its children are in it. */
export interface StoredSequence { record: SequenceRecord; payload: Buffer; sequence: TaskSequence }

/**
 * Adds a task sequence, or a revision of one, after checking that everything it names is there; with it one of each sequence that runs it, or nothing at
 * all. One at a time: of two that would make each other's child the second is refused.
 * @throws SequenceError, SiteError PRESTAGE_SITE_REFERENCE_MISSING, PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_CONFLICT
 */
export async function addSequence(db: Database, siteCode: string, yaml: string, update: string | undefined): Promise<StoredSequence> {
  return db.transaction().execute(async (transaction) => {
    await sql`LOCK TABLE task_sequence IN SHARE ROW EXCLUSIVE MODE`.execute(transaction);
    return addRevision(transaction, siteCode, yaml, update);
  });
}

async function addRevision(db: Database, siteCode: string, yaml: string, update: string | undefined): Promise<StoredSequence> {
  const sequence = parseTaskSequenceYaml(yaml);
  const existing = await db.selectFrom("task_sequence").select("id").where("name", "=", sequence.name).executeTakeFirst();
  const known = update ?? existing?.id;
  const merged = await mergeChildren({ ...sequence, ...(known !== undefined && { id: known }) }, (id) => yamlOf(db, id));
  for (const { objectId } of contentReferences(merged)) {
    await objectRevisions(db, objectId).catch((cause: unknown) => {
      throw new SiteError("PRESTAGE_SITE_REFERENCE_MISSING", `Expected ${objectId}, which the task sequence names, among the site's objects; found none. Import it first.`, { cause });
    });
  }
  if (update !== undefined) await openSequence(db, update);
  if (update !== undefined && existing !== undefined && existing.id !== update) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a name no other task sequence has; ${existing.id} is called ${sequence.name} already.`);
  const id = update ?? existing?.id ?? (await nextObjectId(db, siteCode));
  const payload = canonicalJson({ ...merged, id });
  const sha256 = createHash("sha256").update(payload).digest("hex");
  await db.insertInto("task_sequence").values({ id, name: sequence.name }).onConflict((conflict) => conflict.column("id").doUpdateSet({ name: sequence.name })).execute();
  const newest = await db.selectFrom("task_sequence_revision").select(["revision", "sha256"]).where("sequence_id", "=", id).orderBy("revision", "desc").executeTakeFirst();
  if (newest?.sha256 !== sha256) {
    await db.insertInto("task_sequence_revision").values({ sequence_id: id, revision: (newest?.revision ?? 0) + 1, yaml, payload, sha256 }).execute();
  }
  await renewParents(db, siteCode, id);
  return openSequence(db, id);
}

/** The sequence as it would be signed now: with what its children say now. @throws SequenceError PRESTAGE_SEQUENCE_CHILD */
export async function mergedNow(db: Database, { record }: StoredSequence): Promise<TaskSequence> {
  return mergeChildren({ ...parseTaskSequenceYaml(record.yaml), id: record.id }, (id) => yamlOf(db, id));
}

/** What a sequence's newest revision says as it was written: its children are not in it. */
async function yamlOf(db: Database, id: string): Promise<TaskSequence | undefined> {
  const row = await sequenceRows(db).where("id", "=", id).orderBy("revision", "desc").executeTakeFirst();
  return row === undefined ? undefined : parseTaskSequenceYaml(row.yaml);
}

/** A new revision of a child makes one of each sequence that runs it, and so on; circles were refused before. */
async function renewParents(db: Database, siteCode: string, child: string): Promise<void> {
  for (const { id, yaml } of await listSequences(db)) {
    if (id !== child && childReferences(parseTaskSequenceYaml(yaml)).includes(child)) await addRevision(db, siteCode, yaml, id);
  }
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openSequence(db: Database, id: string): Promise<StoredSequence> {
  const row = await sequenceRows(db).where("id", "=", id).orderBy("revision", "desc").executeTakeFirst();
  if (row === undefined) throw notFound("sequence", id);
  return { record: recordOf(row), payload: row.payload, sequence: taskSequenceSchema.parse(JSON.parse(row.payload.toString("utf8"))) };
}

export async function listSequences(db: Database): Promise<SequenceRecord[]> {
  return (await sequenceRows(db).distinctOn("id").orderBy("id").orderBy("revision", "desc").execute()).map(recordOf);
}

function sequenceRows(db: Database) {
  return db.selectFrom("task_sequence").innerJoin("task_sequence_revision", "sequence_id", "id").select(["id", "name", "revision", "yaml", "payload", "sha256", "task_sequence_revision.created as created"]);
}

function recordOf(row: { id: string; name: string; revision: number; yaml: string; sha256: string; created: Date }): SequenceRecord {
  return { id: row.id, name: row.name, revision: row.revision, sha256: row.sha256, created: row.created.toISOString(), yaml: row.yaml };
}
