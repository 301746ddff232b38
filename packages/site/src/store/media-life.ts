import type { MediaRecord, MediaState, RevisedContent } from "@prestage/contract";
import type { Manifest } from "@prestage/media";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { objectRevisions } from "./objects.ts";

/** All media, oldest first, with their state now; with an id only that one. */
export async function listMedia(db: Database, now: Date, mediaId?: string): Promise<MediaRecord[]> {
  let query = db
    .selectFrom("media")
    .selectAll("media")
    .select((is) => [
      is.selectFrom("receipt").select(sql<string>`count(DISTINCT disk_guid)`.as("n")).whereRef("receipt.media_id", "=", "media.media_id").as("staged"),
      is
        .selectFrom("receipt")
        .leftJoin("claim", "claim.receipt_id", "receipt.id")
        .select(sql<string>`count(DISTINCT receipt.disk_guid)`.as("n"))
        .whereRef("receipt.media_id", "=", "media.media_id")
        .where(sql<boolean>`(claim.used_at IS NOT NULL OR EXISTS (SELECT 1 FROM device WHERE device.media_id = receipt.media_id AND device.attributes->>'diskSerial' = receipt.document->>'diskSerial'))`)
        .as("begun"),
      is.selectFrom("device").select(is.fn.countAll<string>().as("n")).whereRef("device.media_id", "=", "media.media_id").where("device.state", "<>", "expected").as("started"),
    ])
    .orderBy("media.created");
  if (mediaId !== undefined) query = query.where("media.media_id", "=", mediaId);
  return (await query.execute()).map((row) => ({
    mediaId: row.media_id, size: Number(row.size), sha256: row.sha256, path: row.path, created: row.created.toISOString(), manifest: row.manifest, state: stateOf(row, now),
    validTo: row.renewed_to?.toISOString() ?? row.manifest.validTo ?? null, renewedTo: row.renewed_to?.toISOString() ?? null, revoked: row.revoked?.toISOString() ?? null,
    staged: Number(row.staged), neverStarted: Number(row.staged) - Number(row.begun), started: Number(row.started),
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openMedia(db: Database, now: Date, mediaId: string): Promise<MediaRecord> {
  const [found] = await listMedia(db, now, mediaId);
  if (found === undefined) throw notFound("media", mediaId);
  return found;
}

function stateOf(row: { manifest: Manifest; renewed_to: Date | null; revoked: Date | null }, now: Date): MediaState {
  if (row.revoked !== null) return "revoked";
  const end = row.renewed_to?.getTime() ?? (row.manifest.validTo === undefined ? Infinity : Date.parse(row.manifest.validTo));
  if (now.getTime() > end) return "expired";
  return row.manifest.validFrom !== undefined && now.getTime() < Date.parse(row.manifest.validFrom) ? "not-yet-valid" : "valid";
}

/**
 * Keeps a media's newest renewal; `sign` makes it, once it is known that the media may be renewed.
 * @throws SiteError PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_CONFLICT, PRESTAGE_SITE_REQUEST_INVALID
 */
export async function renewMedia(db: Database, now: Date, mediaId: string, validTo: Date, sign: () => Buffer): Promise<void> {
  const media = await openMedia(db, now, mediaId);
  if (media.revoked !== null) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a media in use; this one was revoked on ${media.revoked}, and stays so. Create another.`);
  const earliest = Math.max(now.getTime(), Date.parse(media.manifest.validFrom ?? "1970-01-01T00:00:00Z"));
  if (validTo.getTime() <= earliest) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected an end after ${new Date(earliest).toISOString()}; found ${validTo.toISOString()}. To end a media now, revoke it.`);
  await db.updateTable("media").set({ renewal: sign(), renewed_to: validTo }).where("media_id", "=", mediaId).execute();
}

/** The renewal a device gets at contact. */
export async function readRenewal(db: Database, mediaId: string): Promise<Buffer | undefined> {
  return (await db.selectFrom("media").select("renewal").where("media_id", "=", mediaId).where("revoked", "is", null).executeTakeFirst())?.renewal ?? undefined;
}

/** Ends a media for good, and every enrolment with it. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function revokeMedia(db: Database, mediaId: string): Promise<void> {
  const row = await db.updateTable("media").set({ revoked: sql<Date>`coalesce(revoked, now())` }).where("media_id", "=", mediaId).returning("media_id").executeTakeFirst();
  if (row === undefined) throw notFound("media", mediaId);
}

/** The content of a media that has a newer revision at the site. */
export async function revisedContent(db: Database, manifest: Manifest): Promise<RevisedContent[]> {
  const carried = [{ kind: "boot-image" as const, ...manifest.bootImage }, ...manifest.content.filter((one) => one.objectId !== manifest.bootImage.objectId)];
  const revised: RevisedContent[] = [];
  for (const { objectId, kind, name, revision, contentId } of carried) {
    const [newest] = await objectRevisions(db, objectId);
    if (newest.revision <= revision) continue;
    revised.push({
      objectId, kind, name, revision, contentId, changed: newest.contentId !== contentId,
      newest: { revision: newest.revision, softwareVersion: newest.softwareVersion, contentId: newest.contentId, created: newest.created },
    });
  }
  return revised;
}
