import type { Device } from "@prestage/contract";
import type { DeviceAttributes } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";

/** More computers than this waiting for approval at once are turned away: unproven callers cost the site bounded memory. */
export const maximumWaiting = 1000;
/** A waiting computer asks every few seconds; one not heard of for this long has gone. */
export const waitingLifetimeMinutes = 15;

export async function listDevices(db: Database): Promise<Device[]> {
  const rows = await db
    .selectFrom("device")
    .leftJoinLateral(
      (from) => from.selectFrom("status_message").select("message").whereRef("status_message.device_id", "=", "device.id").orderBy("position", "desc").limit(1).as("last"),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (from) => from.selectFrom("status_message").select("message").whereRef("status_message.device_id", "=", "device.id").where(sql<boolean>`message ? 'step'`).orderBy("position", "desc").limit(1).as("step"),
      (join) => join.onTrue(),
    )
    .selectAll("device")
    .select(["last.message as last_message", "step.message as step_message"])
    .orderBy("created")
    .execute();
  return rows.map((row) => ({
    id: row.id, name: row.name, state: row.state, known: row.known, approvalCode: row.approval_code, mediaId: row.media_id, attributes: { ...row.attributes }, replaces: row.replaces,
    lastSeen: row.last_seen?.toISOString() ?? null, created: row.created.toISOString(), lastStatus: row.last_message ?? null, lastStep: row.step_message ?? null,
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openDevice(db: Database, id: string): Promise<Device> {
  const found = (await listDevices(db)).find((device) => device.id === id);
  if (found === undefined) throw notFound("device", id);
  return found;
}

/** The record an administrator made for this computer, chosen by its attributes; they choose, they never grant. */
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
    .executeTakeFirst();
}

/** Removes computers that stopped asking for approval. */
export async function forgetGoneWaiting(db: Database): Promise<void> {
  await db.deleteFrom("device").where("state", "=", "waiting").where("last_seen", "<", sql<Date>`now() - make_interval(mins => ${waitingLifetimeMinutes})`).execute();
}
