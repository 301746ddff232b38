import type { StatusMessage } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";
import { recordUsers } from "../store/affinities.ts";
import { deploymentsReaching } from "../store/deployments.ts";
import { jsonText } from "../store/json-text.ts";
import { isOfRun, recordRun } from "../store/runs.ts";
import type { EnrolledDevice } from "./authenticate.ts";

/**
 * Keeps status messages, each number of a device once: a message sent again after a lost answer changes nothing.
 * Returns the highest number up to which none is missing, from the lowest sent: a device sends from the lowest it still has,
 * and forgets up to the answer.
 */
export async function keepStatus(db: Database, device: Reporting, messages: readonly StatusMessage[]): Promise<number> {
  const deviceId = device.id;
  // What a message leads to is done with it or not at all, and once.
  if (messages.some((message) => message.affinity !== undefined || isOfRun(message))) await db.transaction().execute((transaction) => insertAndAct(transaction, device, messages));
  else await insert(db, deviceId, messages);
  const lowest = Math.min(...messages.map((message) => message.number));
  const kept = await db.selectFrom("status_message").select("number").where("device_id", "=", deviceId).where("number", ">=", lowest).orderBy("number").limit(1000).execute();
  return lowest + kept.findIndex(({ number }, i) => kept[i + 1]?.number !== number + 1);
}

/** The numbers that were not there yet. */
async function insert(db: Database, deviceId: string, messages: readonly StatusMessage[]): Promise<number[]> {
  const rows = await db
    .insertInto("status_message")
    .values(messages.map((message) => ({ device_id: deviceId, number: message.number, message: jsonText(message) })))
    .onConflict((conflict) => conflict.columns(["device_id", "number"]).doNothing())
    .returning("number")
    .execute();
  return rows.map((row) => row.number);
}

/** The device that reports. */
type Reporting = Pick<EnrolledDevice, "id" | "known">;

async function insertAndAct(db: Database, device: Reporting, messages: readonly StatusMessage[]): Promise<void> {
  const deviceId = device.id;
  const added = new Set(await insert(db, deviceId, messages));
  for (const message of messages.toSorted((a, b) => a.number - b.number)) {
    if (added.has(message.number) && isOfRun(message) && (await mayRun(db, device, message.deploymentId))) await recordRun(db, deviceId, message);
    const done = added.has(message.number) ? await recordUsers(db, deviceId, message) : undefined;
    if (done !== undefined) await db.insertInto("audit").values({ actor: `device ${deviceId}`, action: "affinity-reported", subject: done }).execute();
  }
}

/** A run counts for its deployment: one that neither reaches a device nor was chosen by it is none of its business. */
async function mayRun(db: Database, device: Reporting, deploymentId: string | undefined): Promise<boolean> {
  const { policy_deployment: chosen } = await db.selectFrom("device").select("policy_deployment").where("id", "=", device.id).executeTakeFirstOrThrow();
  return chosen === deploymentId || (await deploymentsReaching(db, device)).some((one) => one.id === deploymentId);
}
