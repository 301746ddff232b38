import type { ReceiptRecord } from "@prestage/contract";
import { signedBy } from "@prestage/trust";
import type { OpenedReceipt, Receipt } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { jsonText } from "./json-text.ts";

export interface KeptReceipt { id: string; confirmed: boolean; /** Why it gives no right. */ reason?: string }

/**
 * Keeps a receipt that was opened; one that is there already is found again. Signed by a registered depot it is confirmed
 * and its claim counts; otherwise it is kept and gives no right.
 * @throws SiteError PRESTAGE_SITE_NOT_FOUND (media), PRESTAGE_SITE_DEPOT_REVOKED, PRESTAGE_SITE_CONFLICT
 */
export async function keepReceipt(db: Database, opened: OpenedReceipt): Promise<KeptReceipt> {
  const { receipt, sha256, envelope } = opened;
  return db.transaction().execute(async (transaction) => {
    const media = await transaction.selectFrom("media").select("media_id").where("media_id", "=", receipt.mediaId).executeTakeFirst();
    if (media === undefined) throw notFound("media", receipt.mediaId);
    const depotKeyId = receipt.depot?.key.keyId ?? null;
    if (depotKeyId !== null) await lockDepot(transaction, depotKeyId);
    const depot = depotKeyId === null ? undefined : await transaction.selectFrom("depot").selectAll().where("key_id", "=", depotKeyId).forShare().executeTakeFirst();
    if (depot?.revoked != null) throw new SiteError("PRESTAGE_SITE_DEPOT_REVOKED", `Expected a receipt of a depot in good standing; ${depot.name} (${depot.key_id.slice(0, 16)}) was revoked on ${depot.revoked.toISOString()}. The disk is staged again, or its computer approved by hand.`);
    const { id, confirmed } = await transaction
      .insertInto("receipt")
      .values({ media_id: receipt.mediaId, disk_guid: receipt.diskGuid, confirmed: false, document: jsonText(receipt), sha256, envelope, depot_key_id: depotKeyId, claim_id: null })
      .onConflict((conflict) => conflict.column("sha256").doUpdateSet({ media_id: receipt.mediaId }))
      .returning(["id", "confirmed"])
      .executeTakeFirstOrThrow();
    if (confirmed) return { id, confirmed };
    if (depot === undefined) return { id, confirmed, reason: depotKeyId === null ? "it is not signed by a depot" : `its depot ${receipt.depot?.name ?? ""} (${depotKeyId}) is not registered at this site; \`prestage depot register\` confirms it` };
    if (!signedBy(opened, [{ keyId: depot.key_id, publicKey: depot.public_key }])) return { id, confirmed, reason: "its depot's key is not the registered one" };
    if (!(await confirmReceipt(transaction, id, receipt))) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a claim of this disk alone; another receipt brought claim ${receipt.claim.keyId.slice(0, 16)} already. Give the disk a claim of its own with \`prestage receipt create\`.`);
    return { id, confirmed: true };
  });
}

/** Until the transaction ends: a receipt that comes in while its depot is registered is confirmed by the one or the other. */
export async function lockDepot(transaction: Database, keyId: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${keyId}, 0))`.execute(transaction);
}

/** Confirms a kept receipt and registers its claim. False where another receipt brought that claim: then nothing is changed. */
export async function confirmReceipt(db: Database, id: string, receipt: Receipt): Promise<boolean> {
  const added = await db
    .insertInto("claim")
    .values({ claim_id: receipt.claim.keyId, public_key: receipt.claim.publicKey, receipt_id: id, media_id: receipt.mediaId, disk_guid: receipt.diskGuid, disk_serial: receipt.diskSerial, used_by: null })
    .onConflict((conflict) => conflict.column("claim_id").doNothing())
    .returning("claim_id")
    .executeTakeFirst();
  if (added === undefined) return false;
  await db.updateTable("receipt").set({ confirmed: true, claim_id: receipt.claim.keyId }).where("id", "=", id).execute();
  return true;
}

/** Receipts, oldest first. A disk has started where its claim was used, or a computer of its media showed its serial number. */
export async function listReceipts(db: Database, options: { neverStarted?: boolean; mediaId?: string | undefined } = {}): Promise<ReceiptRecord[]> {
  let query = db
    .selectFrom("receipt")
    .leftJoin("depot", "depot.key_id", "receipt.depot_key_id")
    .leftJoin("claim", "claim.receipt_id", "receipt.id")
    .leftJoinLateral(
      (from) => from.selectFrom("device").select(["device.id", "device.created"]).whereRef("device.media_id", "=", "receipt.media_id").where(sql<boolean>`device.attributes->>'diskSerial' = receipt.document->>'diskSerial'`).orderBy("device.created").limit(1).as("seen"),
      (join) => join.onTrue(),
    )
    .select(["receipt.id", "receipt.sha256", "receipt.media_id", "receipt.confirmed", "receipt.imported", "receipt.revoked", "receipt.claim_id", "receipt.document", "receipt.depot_key_id"])
    .select(["depot.name as depot_name", "claim.used_by", "seen.id as seen_id"])
    .select(sql<Date | null>`coalesce(claim.used_at, seen.created)`.as("started"))
    .orderBy("receipt.imported");
  if (options.neverStarted === true) query = query.where(sql<boolean>`coalesce(claim.used_at, seen.created) IS NULL`);
  if (options.mediaId !== undefined) query = query.where("receipt.media_id", "=", options.mediaId);
  return (await query.execute()).map((row) => ({
    id: row.id, sha256: row.sha256, mediaId: row.media_id, confirmed: row.confirmed, imported: row.imported.toISOString(), revoked: row.revoked?.toISOString() ?? null,
    depot: row.depot_key_id === null ? null : { keyId: row.depot_key_id, name: row.depot_name ?? row.document.depot?.name ?? "" }, claimId: row.claim_id,
    diskSerial: row.document.diskSerial, machineSerial: row.document.machineSerial ?? null, staged: row.document.time, started: row.started?.toISOString() ?? null, deviceId: row.used_by ?? row.seen_id,
  }));
}
