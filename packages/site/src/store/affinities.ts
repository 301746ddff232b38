import type { Affinity, AffinityState, StatusMessage } from "@prestage/contract";
import { stricterAffinity } from "@prestage/sequence";
import type { Database } from "../database/open-database.ts";
import { SiteError } from "../error.ts";

/** A device that reports ever new users costs the site a bounded list. */
export const maximumUsersPerDevice = 64;

/**
 * Records the users a device reports: as its media allows, or as the sequence asked for where that is stricter; never as the device
 * says. A user who was refused stays refused until somebody removes that. Says what was done, for the audit.
 */
export async function recordUsers(db: Database, deviceId: string, { affinity, deploymentId }: Pick<StatusMessage, "affinity" | "deploymentId">): Promise<string | undefined> {
  if (affinity === undefined) return undefined;
  const media = await db.selectFrom("device").innerJoin("media", "media.media_id", "device.media_id").select("manifest").where("device.id", "=", deviceId).executeTakeFirst();
  const mode = stricterAffinity(media?.manifest.userDeviceAffinity ?? "none", affinity.mode);
  if (mode === "none") return `${affinity.users.length} users not recorded: the media or the sequence allows none`;
  // One report of a device at a time, else two at once would exceed the bound together. No key: the messages just inserted share that lock.
  await db.selectFrom("device").select("id").where("id", "=", deviceId).forNoKeyUpdate().executeTakeFirst();
  const known = new Set((await db.selectFrom("user_device_affinity").select("user_key").where("device_id", "=", deviceId).execute()).map((row) => row.user_key));
  const users = affinity.users.filter((user) => {
    if (!known.has(user.toLowerCase()) && known.size >= maximumUsersPerDevice) return false;
    known.add(user.toLowerCase());
    return true;
  });
  const state = mode === "automatic" ? "approved" : "pending";
  for (const user of users) {
    await db
      .insertInto("user_device_affinity")
      .values({ device_id: deviceId, user_key: user.toLowerCase(), user_name: user, state, source: deploymentId ?? null, decided: null })
      .onConflict((conflict) => conflict.columns(["device_id", "user_key"]).doUpdateSet({ state }).where("user_device_affinity.state", "=", "pending"))
      .execute();
  }
  const left = affinity.users.length - users.length;
  return `${state}: ${users.join(", ")}${left === 0 ? "" : `; ${left} not recorded: more than ${maximumUsersPerDevice} users`}`;
}

/** All relationships, oldest first. */
export async function listAffinities(db: Database, only: { deviceId?: string | undefined; state?: AffinityState | undefined; user?: string } = {}): Promise<Affinity[]> {
  let query = db.selectFrom("user_device_affinity").innerJoin("device", "device.id", "device_id").selectAll("user_device_affinity").select("device.name").orderBy("user_device_affinity.created").orderBy("user_key");
  if (only.deviceId !== undefined) query = query.where("device_id", "=", only.deviceId);
  if (only.state !== undefined) query = query.where("user_device_affinity.state", "=", only.state);
  if (only.user !== undefined) query = query.where("user_key", "=", only.user.toLowerCase());
  return (await query.execute()).map((row) => ({
    deviceId: row.device_id, deviceName: row.name, user: row.user_name, state: row.state, source: row.source, created: row.created.toISOString(), decided: row.decided?.toISOString() ?? null,
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function decideAffinity(db: Database, now: Date, deviceId: string, user: string, decision: "approve" | "refuse"): Promise<Affinity> {
  await db.updateTable("user_device_affinity").set({ state: decision === "approve" ? "approved" : "refused", decided: now }).where("device_id", "=", deviceId).where("user_key", "=", user.toLowerCase()).execute();
  const [found] = await listAffinities(db, { deviceId, user });
  if (found === undefined) throw unknownUser(deviceId, user);
  return found;
}

/** Forgets a relationship: a later report of the same user is a new one. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function removeAffinity(db: Database, deviceId: string, user: string): Promise<void> {
  const removed = await db.deleteFrom("user_device_affinity").where("device_id", "=", deviceId).where("user_key", "=", user.toLowerCase()).returning("user_key").executeTakeFirst();
  if (removed === undefined) throw unknownUser(deviceId, user);
}

function unknownUser(deviceId: string, user: string): SiteError {
  return new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected ${user} among the users of device ${deviceId}; the site has none such. List them with \`prestage device affinity list\`.`);
}
