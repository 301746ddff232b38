import type { StatusMessage } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";

/**
 * Keeps status messages, each number of a device once: a message sent again after a lost answer changes nothing.
 * Returns the highest number up to which none is missing.
 */
export async function keepStatus(db: Database, deviceId: string, messages: readonly StatusMessage[]): Promise<number> {
  await db
    .insertInto("status_message")
    .values(messages.map((message) => ({ device_id: deviceId, number: message.number, message: JSON.stringify(message) })))
    .onConflict((conflict) => conflict.columns(["device_id", "number"]).doNothing())
    .execute();
  return Math.max(...messages.map((message) => message.number));
}
