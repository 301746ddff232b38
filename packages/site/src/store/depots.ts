import type { Depot } from "@prestage/contract";
import { importPublicKey, openReceipt, signedBy } from "@prestage/trust";
import type { PublicKey } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { confirmReceipt, lockDepot } from "./receipts.ts";

/** Registered depots, oldest first. */
export async function listDepots(db: Database): Promise<Depot[]> {
  const rows = await db
    .selectFrom("depot")
    .leftJoin("receipt", (join) => join.onRef("receipt.depot_key_id", "=", "depot.key_id").on("receipt.confirmed", "=", true))
    .leftJoin("claim", "claim.receipt_id", "receipt.id")
    .selectAll("depot")
    .select((is) => [is.fn.count<string>("receipt.id").as("receipts"), is.fn.count<string>("claim.used_at").as("started")])
    .groupBy("depot.key_id")
    .orderBy("depot.registered")
    .execute();
  return rows.map((row) => ({ keyId: row.key_id, publicKey: row.public_key, name: row.name, registered: row.registered.toISOString(), revoked: row.revoked?.toISOString() ?? null, receipts: Number(row.receipts), started: Number(row.started) }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openDepot(db: Database, keyId: string): Promise<Depot> {
  const found = (await listDepots(db)).find((depot) => depot.keyId === keyId);
  if (found === undefined) throw notFound("depot", keyId);
  return found;
}

/**
 * Registers a depot, and confirms the receipts it signed that were kept before. Registered again it gets the new name.
 * Returns how many receipts were confirmed.
 * @throws SiteError PRESTAGE_SITE_DEPOT_REVOKED, TrustError PRESTAGE_TRUST_KEY_MALFORMED
 */
export async function registerDepot(db: Database, name: string, key: PublicKey): Promise<number> {
  importPublicKey(key);
  return db.transaction().execute(async (transaction) => {
    await lockDepot(transaction, key.keyId);
    const { revoked } = await transaction
      .insertInto("depot")
      .values({ key_id: key.keyId, public_key: key.publicKey, name })
      .onConflict((conflict) => conflict.column("key_id").doUpdateSet({ name }))
      .returning("revoked")
      .executeTakeFirstOrThrow();
    if (revoked !== null) throw new SiteError("PRESTAGE_SITE_DEPOT_REVOKED", `Expected a depot key that was not revoked; ${key.keyId.slice(0, 16)} was, on ${revoked.toISOString()}, and stays so. The depot makes a new key with \`prestage depot init\`.`);
    const kept = await transaction.selectFrom("receipt").select(["id", "envelope"]).where("depot_key_id", "=", key.keyId).where("confirmed", "=", false).execute();
    let confirmed = 0;
    for (const { id, envelope } of kept) {
      if (envelope === null) continue;
      const opened = openReceipt(envelope);
      if (signedBy(opened, [key]) && (await confirmReceipt(transaction, id, opened.receipt))) confirmed++;
    }
    return confirmed;
  });
}

/** Ends a depot: its receipts, and the claims and enrolments that rest on them, give no right any more. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function revokeDepot(db: Database, keyId: string): Promise<void> {
  const row = await db.updateTable("depot").set({ revoked: sql<Date>`coalesce(revoked, now())` }).where("key_id", "=", keyId).returning("key_id").executeTakeFirst();
  if (row === undefined) throw notFound("depot", keyId);
}
