import type { Conflict, ConflictResolution } from "@prestage/contract";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";

/** More computers than this showing one claim are refused: who has cloned a disk must not fill the site. */
export const maximumConflictsPerClaim = 16;

/** Notes that a second device showed a claim another one used. False where there are too many of this claim already. */
export async function noteConflict(db: Database, claimId: string, firstDevice: string, secondDevice: string): Promise<boolean> {
  const known = await db.selectFrom("conflict").select("second_device").where("claim_id", "=", claimId).execute();
  if (known.some((one) => one.second_device === secondDevice)) return true;
  if (known.length >= maximumConflictsPerClaim) return false;
  await db.insertInto("conflict").values({ claim_id: claimId, first_device: firstDevice, second_device: secondDevice }).onConflict((conflict) => conflict.column("second_device").doNothing()).execute();
  return true;
}

/** The open conflict this device is the second of. */
export async function openConflictOf(db: Database, deviceId: string): Promise<string | undefined> {
  return (await db.selectFrom("conflict").select("id").where("second_device", "=", deviceId).where("resolved", "is", null).executeTakeFirst())?.id;
}

/** Closes every open conflict these devices are part of. */
export async function closeConflicts(db: Database, deviceIds: readonly string[], resolution: ConflictResolution): Promise<void> {
  await db
    .updateTable("conflict")
    .set({ resolved: sql<Date>`now()`, resolution })
    .where("resolved", "is", null)
    .where((is) => is.or([is("first_device", "in", deviceIds), is("second_device", "in", deviceIds)]))
    .execute();
}

/** All conflicts, oldest first; with an id only that one. */
export async function listConflicts(db: Database, id?: string): Promise<Conflict[]> {
  let query = db
    .selectFrom("conflict")
    .innerJoin("device as first", "first.id", "first_device")
    .innerJoin("device as second", "second.id", "second_device")
    .selectAll("conflict")
    .select(["first.name as first_name", "first.state as first_state", "first.attributes as first_attributes", "first.last_seen as first_seen"])
    .select(["second.name as second_name", "second.state as second_state", "second.attributes as second_attributes", "second.last_seen as second_seen"])
    .orderBy("seen");
  if (id !== undefined) query = query.where("conflict.id", "=", id);
  return (await query.execute()).map((row) => ({
    id: row.id, claimId: row.claim_id, seen: row.seen.toISOString(), resolved: row.resolved?.toISOString() ?? null, resolution: row.resolution,
    first: { id: row.first_device, name: row.first_name, state: row.first_state, attributes: { ...row.first_attributes }, lastSeen: row.first_seen?.toISOString() ?? null },
    second: { id: row.second_device, name: row.second_name, state: row.second_state, attributes: { ...row.second_attributes }, lastSeen: row.second_seen?.toISOString() ?? null },
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openConflict(db: Database, id: string): Promise<Conflict> {
  const [found] = await listConflicts(db, id);
  if (found === undefined) throw notFound("conflict", id);
  return found;
}
