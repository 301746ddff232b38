import { createHash } from "node:crypto";
import type { SequenceRecord } from "@prestage/contract";
import { childReferences, contentReferences, mergeChildren, parseTaskSequenceYaml, requireSecretsByName, taskSequenceSchema } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { canonicalJson } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { nextObjectId } from "./object-ids.ts";
import { objectRevisions } from "./objects.ts";

/** Signed and in base64 it fits an agent's answer; the reference fails past 32 MB of policy (features.md F184). */
export const maximumPolicySequenceBytes = 16 * 1024 * 1024;

/** A sequence's newest revision; `payload` is what is signed for devices, and `sequence` what it says: the steps of its children are in it. */
export interface StoredSequence { record: SequenceRecord; payload: Buffer; sequence: TaskSequence }

/**
 * Adds a task sequence, or a revision of one, after checking that everything it names is there; with it one of each sequence that runs it, or nothing at
 * all. One at a time: of two that would make each other's child the second is refused.
 * `basedOn`: the revision the text was made from; nobody's change is lost in another's (features.md F168).
 * @throws SequenceError, SiteError PRESTAGE_SITE_REFERENCE_MISSING, PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_CONFLICT, PRESTAGE_SITE_REVISION_OLD, PRESTAGE_SITE_SEQUENCE_LARGE
 */
export async function addSequence(db: Database, siteCode: string, yaml: string, update: string | undefined, basedOn?: number): Promise<StoredSequence> {
  return db.transaction().execute(async (transaction) => {
    await sql`LOCK TABLE task_sequence IN SHARE ROW EXCLUSIVE MODE`.execute(transaction);
    const stored = update === undefined ? undefined : await openSequence(transaction, update);
    if (stored !== undefined && basedOn !== undefined && stored.record.revision !== basedOn) {
      throw new SiteError("PRESTAGE_SITE_REVISION_OLD", `Expected a text made from the newest revision ${stored.record.revision} of ${stored.record.name} (${stored.record.id}); found one made from revision ${basedOn}. Somebody changed it meanwhile: look with \`prestage sequence diff\`, and make your change in the newest.`);
    }
    const added = await addRevision(transaction, siteCode, yaml, update);
    requireSecretsByName(added.sequence);
    return added;
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
  // How long a run may last is the site's business: no computer is told.
  const { maximumRunMinutes: _, ...told } = merged;
  const payload = canonicalJson({ ...told, id });
  if (payload.length > maximumPolicySequenceBytes) throw new SiteError("PRESTAGE_SITE_SEQUENCE_LARGE", `Expected a task sequence of at most ${maximumPolicySequenceBytes} bytes with its children, as computers get it; found ${payload.length}. Long scripts and lists belong in packages.`);
  const sha256 = createHash("sha256").update(payload).digest("hex");
  await db.insertInto("task_sequence").values({ id, name: sequence.name }).onConflict((conflict) => conflict.column("id").doUpdateSet({ name: sequence.name })).execute();
  const newest = await db.selectFrom("task_sequence_revision").select(["revision", "sha256"]).where("sequence_id", "=", id).orderBy("revision", "desc").executeTakeFirst();
  if (newest?.sha256 !== sha256) {
    await db.insertInto("task_sequence_revision").values({ sequence_id: id, revision: (newest?.revision ?? 0) + 1, yaml, payload, sha256 }).execute();
  } else {
    // Comments and the maximum run time: for a computer it is the same revision.
    await db.updateTable("task_sequence_revision").set({ yaml }).where("sequence_id", "=", id).where("revision", "=", newest.revision).execute();
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
