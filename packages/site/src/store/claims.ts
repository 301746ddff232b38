import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";

/** A claim as the site knows it. `revoked` is when it, its receipt, its depot or its media was revoked first: whichever it was, the claim gives no right. */
export interface Claim {
  claimId: string;
  publicKey: string;
  receiptId: string;
  mediaId: string;
  diskGuid: string;
  diskSerial: string | null;
  usedBy: string | null;
  usedAt: Date | null;
  revoked: Date | null;
}

function claims(db: Database) {
  return db
    .selectFrom("claim")
    .innerJoin("receipt", "receipt.id", "claim.receipt_id")
    .leftJoin("depot", "depot.key_id", "receipt.depot_key_id")
    .leftJoin("media", "media.media_id", "claim.media_id")
    .selectAll("claim")
    .select(sql<Date | null>`least(claim.revoked, receipt.revoked, depot.revoked, media.revoked)`.as("ended"));
}

function fromRow(row: Awaited<ReturnType<ReturnType<typeof claims>["execute"]>>[number]): Claim {
  return {
    claimId: row.claim_id, publicKey: row.public_key, receiptId: row.receipt_id, mediaId: row.media_id, diskGuid: row.disk_guid, diskSerial: row.disk_serial,
    usedBy: row.used_by, usedAt: row.used_at, revoked: row.ended,
  };
}

/** The claim with this id, used or not, revoked or not. Only receipts of registered depots bring claims. */
export async function findClaim(db: Database, claimId: string): Promise<Claim | undefined> {
  const row = await claims(db).where("claim.claim_id", "=", claimId).executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

/** All claims, in the order of ids. */
export async function listClaims(db: Database): Promise<Claim[]> {
  return (await claims(db).orderBy("claim.claim_id").execute()).map(fromRow);
}

/**
 * Uses a claim for a device, in one statement: of two devices at once one wins. The device that has it wins again.
 * Whether it won; a revoked claim is won by nobody.
 */
export async function useClaim(db: Database, claimId: string, deviceId: string): Promise<boolean> {
  const won = await db
    .updateTable("claim")
    .set({ used_by: deviceId, used_at: sql<Date>`coalesce(used_at, now())` })
    .where("claim_id", "=", claimId)
    .where((is) => is.or([is("used_at", "is", null), is("used_by", "=", deviceId)]))
    .where("claim_id", "in", claims(db).clearSelect().select("claim.claim_id").where(sql<boolean>`least(claim.revoked, receipt.revoked, depot.revoked, media.revoked) IS NULL`))
    .returning("claim_id")
    .executeTakeFirst();
  return won !== undefined;
}

/** Gives a used claim free again, on request of an administrator. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function releaseClaim(db: Database, claimId: string): Promise<void> {
  const row = await db.updateTable("claim").set({ used_by: null, used_at: null }).where("claim_id", "=", claimId).returning("claim_id").executeTakeFirst();
  if (row === undefined) throw notFound("claim", claimId);
}

/** Ends a claim for good: the device it brought in is refused from its next request on. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function revokeClaim(db: Database, claimId: string): Promise<void> {
  const row = await db.updateTable("claim").set({ revoked: sql<Date>`coalesce(revoked, now())` }).where("claim_id", "=", claimId).returning("claim_id").executeTakeFirst();
  if (row === undefined) throw notFound("claim", claimId);
}
