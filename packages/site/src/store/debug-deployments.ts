import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { SiteError } from "../error.ts";

/** Computers of a collection a debug deployment may go to (features.md F162). */
export const mostDebugged = 10;

interface Wanted { sequenceId: string; collectionId: string | null; deviceId: string | null; debug: boolean }

/**
 * A debug deployment goes to a device, or to a collection of at most 10 computers; and no computer has the same sequence deployed both ways, for it
 * could not be told which is meant. `except`: the deployment that is changed.
 * @throws SiteError PRESTAGE_SITE_DEBUG_DEPLOYMENT
 */
export async function guardDebug(db: Database, wanted: Wanted, except?: string): Promise<void> {
  const collection = wanted.collectionId === null ? undefined : await db.selectFrom("collection").select(["name", "built_in"]).where("id", "=", wanted.collectionId).executeTakeFirstOrThrow();
  const computers = await targeted(db, wanted.collectionId, wanted.deviceId);
  if (wanted.debug && collection !== undefined && (collection.built_in !== null || computers.size > mostDebugged)) {
    throw new SiteError("PRESTAGE_SITE_DEBUG_DEPLOYMENT", `Expected a debug deployment to go to a device or to a collection of your own with at most ${mostDebugged} computers; found ${collection.name}${collection.built_in === null ? ` with ${computers.size}` : ""}.`);
  }
  let others = db.selectFrom("deployment").select(["id", "collection_id", "device_id"]).where("sequence_id", "=", wanted.sequenceId).where("enabled", "=", true).where("debug", "=", !wanted.debug);
  if (except !== undefined) others = others.where("id", "<>", except);
  for (const other of await others.execute()) {
    const both = [...(await targeted(db, other.collection_id, other.device_id))].filter((id) => computers.has(id));
    if (both.length === 0 && (other.collection_id === null || other.collection_id !== wanted.collectionId)) continue;
    throw new SiteError("PRESTAGE_SITE_DEBUG_DEPLOYMENT", `Expected no computer to have one task sequence deployed with and without the debugger; ${other.id} ${wanted.debug ? "deploys it without" : "debugs it"} to ${both.length === 0 ? "the same collection" : `${both.length} of these computers`}. Disable that one first: \`prestage deployment set ${other.id} --enabled no\`.`);
  }
}

async function targeted(db: Database, collectionId: string | null, deviceId: string | null): Promise<Set<string>> {
  if (deviceId !== null) return new Set([deviceId]);
  const { rows } = await sql<{ id: string }>`SELECT device.id FROM device, collection WHERE collection.id = ${collectionId} AND device.state NOT IN ('refused', 'revoked') AND (
    built_in = 'all-systems' OR (built_in = 'all-unknown-computers' AND NOT known) OR EXISTS (SELECT FROM collection_member WHERE collection_id = collection.id AND device_id = device.id))`.execute(db);
  return new Set(rows.map((row) => row.id));
}
