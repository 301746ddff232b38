import type { Device } from "@prestage/contract";
import type { DeviceAttributes } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";
import { newestRuns } from "./runs.ts";
import { moveSecrets, secretNamesOf } from "./secrets.ts";

/** More computers than this waiting for approval at once are turned away: unproven callers cost the site bounded memory. */
export const maximumWaiting = 1000;
/** A waiting computer asks every few seconds; one not heard of for this long has gone. */
export const waitingLifetimeMinutes = 15;

/** All devices, oldest first; with an id only that one. */
export async function listDevices(db: Database, id?: string): Promise<Device[]> {
  let query = db
    .selectFrom("device")
    .leftJoinLateral(
      (from) => from.selectFrom("status_message").select("message").whereRef("status_message.device_id", "=", "device.id").orderBy("position", "desc").limit(1).as("last"),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (from) => from.selectFrom("status_message").select("message").whereRef("status_message.device_id", "=", "device.id").where(sql<boolean>`message ? 'step'`).orderBy("position", "desc").limit(1).as("step"),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (from) =>
        from.selectFrom("conflict").select("conflict.id").where("resolved", "is", null)
          .where((is) => is.or([is("first_device", "=", is.ref("device.id")), is("second_device", "=", is.ref("device.id"))])).orderBy("seen").limit(1).as("open_conflict"),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (from) => from.selectFrom("user_device_affinity").select(sql<Device["users"]>`jsonb_agg(jsonb_build_object('name', user_name, 'state', user_device_affinity.state) ORDER BY user_key)`.as("users")).whereRef("device_id", "=", "device.id").as("affinity"),
      (join) => join.onTrue(),
    )
    .selectAll("device")
    .select(["last.message as last_message", "step.message as step_message", "open_conflict.id as conflict_id", "affinity.users"])
    .orderBy("created");
  if (id !== undefined) query = query.where("device.id", "=", id);
  const rows = await query.execute();
  const secrets = await secretNamesOf(db, "device");
  const runs = await newestRuns(db, id);
  return rows.map((row) => ({
    id: row.id, name: row.name, state: row.state, known: row.known, approvalCode: row.approval_code, mediaId: row.media_id, attributes: { ...row.attributes }, replaces: row.replaces,
    lastSeen: row.last_seen?.toISOString() ?? null, created: row.created.toISOString(), proof: row.proof, claimId: row.claim_id, conflictId: row.conflict_id, variables: row.variables, secretVariables: secrets.get(row.id) ?? [], users: row.users ?? [],
    lastStatus: row.last_message ?? null, lastStep: row.step_message ?? null, lastRun: runs.get(row.id) ?? null,
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openDevice(db: Database, id: string): Promise<Device> {
  const [found] = await listDevices(db, id);
  if (found === undefined) throw notFound("device", id);
  return found;
}

/** The record an administrator made for this computer, chosen by its attributes; they choose, they never grant. Locked, so that two computers do not get one record. */
export async function findExpectedRecord(db: Database, attributes: DeviceAttributes): Promise<{ id: string; name: string } | undefined> {
  const macs = attributes.macAddresses;
  return db
    .selectFrom("device")
    .select(["id", "name"])
    .where("state", "=", "expected")
    .where((is) =>
      is.or([
        is(sql`lower(attributes->>'smbiosUuid')`, "=", attributes.smbiosUuid?.toLowerCase() ?? ""),
        is(sql`attributes->>'serialNumber'`, "=", attributes.serialNumber === undefined || attributes.serialNumber === "" ? "\u0001" : attributes.serialNumber),
        ...(macs.length > 0 ? [sql<boolean>`attributes->'macAddresses' ?| ${macs}`] : []),
      ]),
    )
    .orderBy("created")
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** The expected record becomes this device: its name, variables, collections, deployments and secrets move over. */
export async function adoptRecord(db: Database, recordId: string, deviceId: string, secretsKey: Buffer): Promise<void> {
  const record = await db.selectFrom("device").select(["name", "variables", "replaces"]).where("id", "=", recordId).executeTakeFirstOrThrow();
  await db.updateTable("collection_member").set({ device_id: deviceId }).where("device_id", "=", recordId).execute();
  await db.updateTable("deployment").set({ device_id: deviceId }).where("device_id", "=", recordId).execute();
  await db.updateTable("device").set({ replaces: deviceId }).where("replaces", "=", recordId).execute();
  await moveSecrets(db, secretsKey, "device", recordId, deviceId);
  await db.deleteFrom("device").where("id", "=", recordId).execute();
  await db.updateTable("device").set({ name: record.name, known: true, variables: JSON.stringify(record.variables), replaces: record.replaces }).where("id", "=", deviceId).execute();
}

/** How many computers wait for approval, but for those in a conflict: these are bounded by claim. */
export async function countWaiting(db: Database): Promise<number> {
  const { count } = await db
    .selectFrom("device")
    .select((is) => is.fn.countAll<string>().as("count"))
    .where("state", "=", "waiting")
    .where((is) => is.not(is.exists(is.selectFrom("conflict").select("conflict.id").whereRef("second_device", "=", "device.id"))))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Removes computers that stopped asking for approval; one in a conflict stays to be seen. */
export async function forgetGoneWaiting(db: Database): Promise<void> {
  await db
    .deleteFrom("device")
    .where("state", "=", "waiting")
    .where("last_seen", "<", sql<Date>`now() - make_interval(mins => ${waitingLifetimeMinutes})`)
    .where((is) => is.not(is.exists(is.selectFrom("conflict").select("conflict.id").whereRef("second_device", "=", "device.id"))))
    .execute();
}
