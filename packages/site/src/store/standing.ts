import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";

/** A device as its key finds it. `ended`: what was revoked that its enrolment rests on; then it is refused from its next request on. */
export interface Standing {
  id: string;
  name: string;
  state: "expected" | "waiting" | "enrolled" | "refused" | "revoked";
  known: boolean;
  proof: "claim" | "password" | "approval" | null;
  publicKey: string | null;
  sealingKey: string | null;
  claimId: string | null;
  ended: "device" | "media" | "claim" | "depot" | undefined;
}

/** An enrolment rests on its device and its media; one by claim also on that claim, its receipt and the depot that signed it. */
export async function standingOf(db: Database, keyId: string): Promise<Standing | undefined> {
  const row = await db
    .selectFrom("device")
    .leftJoin("media", "media.media_id", "device.media_id")
    .leftJoin("claim", (join) => join.onRef("claim.claim_id", "=", "device.claim_id").on("device.proof", "=", "claim"))
    .leftJoin("receipt", "receipt.id", "claim.receipt_id")
    .leftJoin("depot", "depot.key_id", "receipt.depot_key_id")
    .select(["device.id", "device.name", "device.state", "device.known", "device.proof", "device.public_key", "device.sealing_key", "device.claim_id"])
    .select(["media.revoked as media_revoked", sql<Date | null>`least(claim.revoked, receipt.revoked)`.as("claim_revoked"), "depot.revoked as depot_revoked"])
    .where("device.key_id", "=", keyId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const ended = row.state === "revoked" ? "device" : row.media_revoked !== null ? "media" : row.claim_revoked !== null ? "claim" : row.depot_revoked !== null ? "depot" : undefined;
  return { id: row.id, name: row.name, state: row.state, known: row.known, proof: row.proof, publicKey: row.public_key, sealingKey: row.sealing_key, claimId: row.claim_id, ended };
}
