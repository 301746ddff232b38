import type { StatusMessage } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";
import { jsonText } from "../store/json-text.ts";

/**
 * Keeps status messages, each number of a device once: a message sent again after a lost answer changes nothing.
 * Returns the highest number up to which none is missing, from the lowest sent: a device sends from the lowest it still has,
 * and forgets up to the answer.
 */
export async function keepStatus(db: Database, deviceId: string, messages: readonly StatusMessage[]): Promise<number> {
  await db
    .insertInto("status_message")
    .values(messages.map((message) => ({ device_id: deviceId, number: message.number, message: jsonText(message) })))
    .onConflict((conflict) => conflict.columns(["device_id", "number"]).doNothing())
    .execute();
  const lowest = Math.min(...messages.map((message) => message.number));
  const kept = await db.selectFrom("status_message").select("number").where("device_id", "=", deviceId).where("number", ">=", lowest).orderBy("number").limit(1000).execute();
  return lowest + kept.findIndex(({ number }, i) => kept[i + 1]?.number !== number + 1);
}
