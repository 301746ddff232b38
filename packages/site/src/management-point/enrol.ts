import type { EnrolmentAnswer } from "@prestage/contract";
import { checkValidity, MediaError } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { approvalCode, checkChallenge, checkEnrolmentSignature, deviceAttributesSchema } from "@prestage/trust";
import type { EnrolmentRequest } from "@prestage/trust";
import { sql } from "kysely";
import { SiteError } from "../error.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { jsonText } from "../store/json-text.ts";
import { findExpectedRecord, forgetGoneWaiting, maximumWaiting } from "../store/devices.ts";

/** How often a computer waiting for approval asks again. */
const retryAfterSeconds = 2;

/**
 * Second message of enrolment: the device proves that it holds its key; then an administrator's approval decides.
 * Repeated by the device until it is approved; each repetition finds the same record by its key.
 * @throws TrustError, SiteError PRESTAGE_SITE_BUSY
 */
export async function enrol(context: SiteContext, request: EnrolmentRequest): Promise<EnrolmentAnswer> {
  checkChallenge(request.first, request.challenge, context.keys.challengeSecret, context.now());
  checkEnrolmentSignature(request);
  const { deviceKey } = request.first;
  const code = approvalCode(deviceKey, request.challenge);
  const known = await context.db.selectFrom("device").select(["id", "name", "state", "approval_code"]).where("key_id", "=", deviceKey.keyId).executeTakeFirst();
  if (known?.state === "enrolled") return { state: "approved", deviceId: known.id, deviceName: known.name };
  if (known?.state === "refused") return { state: "refused", reason: "An administrator refused this computer. Ask the site, then start again." };
  const manifest = await mediaManifest(context, request.first.mediaId);
  if (manifest === undefined) return { state: "refused", reason: `The site ${context.configuration.siteCode} has no record of this media.` };
  const invalid = whyNotValid(manifest, context.now());
  if (invalid !== undefined) return { state: "refused", reason: invalid };
  if (known !== undefined) {
    // The challenge is new with every attempt after five minutes; the code on the screen is what must match.
    await context.db.updateTable("device").set({ last_seen: context.now(), approval_code: code }).where("id", "=", known.id).execute();
    return { state: "waiting", code, retryAfterSeconds };
  }
  return begin(context, request, manifest, code);
}

async function begin(context: SiteContext, request: EnrolmentRequest, manifest: Manifest, code: string): Promise<EnrolmentAnswer> {
  const { deviceKey, mediaId } = request.first;
  // As the database can hold them: what firmware says may have any byte in it.
  const attributes = deviceAttributesSchema.parse(JSON.parse(jsonText(request.first.attributes)));
  const record = await findExpectedRecord(context.db, attributes);
  if (record === undefined && !manifest.unknownComputers) {
    return { state: "refused", reason: "This computer is not known to the site, and its media does not allow unknown computers. Add a device record with its serial number or MAC address." };
  }
  await forgetGoneWaiting(context.db);
  const { count } = await context.db.selectFrom("device").select((is) => is.fn.countAll<string>().as("count")).where("state", "=", "waiting").executeTakeFirstOrThrow();
  if (Number(count) >= maximumWaiting) throw new SiteError("PRESTAGE_SITE_BUSY", `Expected fewer than ${maximumWaiting} computers waiting for approval; the list is full. It is tried again by itself.`);
  await context.db
    .insertInto("device")
    .values({
      name: record?.name ?? defaultName(attributes.serialNumber, deviceKey.keyId), state: "waiting", known: record !== undefined, key_id: deviceKey.keyId, public_key: deviceKey.publicKey,
      approval_code: code, media_id: mediaId, attributes: JSON.stringify(attributes), replaces: null, variables: "[]", last_seen: context.now(),
    })
    .onConflict((conflict) => conflict.column("key_id").doUpdateSet({ last_seen: context.now() }))
    .execute();
  return { state: "waiting", code, retryAfterSeconds };
}

/** Expiry is decided by the device, and by the site again (design.md section 7). */
function whyNotValid(manifest: Manifest, now: Date): string | undefined {
  try {
    checkValidity(manifest, now);
    return undefined;
  } catch (cause) {
    if (cause instanceof MediaError) return cause.message;
    throw cause;
  }
}

/** Approves or refuses the computer that shows `code`. A record made beforehand gives it its name and variables. */
export async function decideApproval(context: SiteContext, code: string, decision: "approve" | "refuse", name: string | undefined): Promise<string> {
  const waiting = await context.db.selectFrom("device").selectAll().where("state", "=", "waiting").where("approval_code", "=", code).execute();
  const [device, second] = waiting;
  if (device === undefined) throw new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected a computer waiting with the code ${code}; found none. Compare with its screen: the code changes after five minutes.`);
  if (second !== undefined) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected one computer with the code ${code}; found ${waiting.length}. Refuse by id, or restart one of them.`);
  if (decision === "refuse") {
    await context.db.updateTable("device").set({ state: "refused", approval_code: null }).where("id", "=", device.id).execute();
  } else {
    const record = await findExpectedRecord(context.db, device.attributes);
    await context.db.transaction().execute(async (transaction) => {
      if (record !== undefined) await adoptRecord(transaction, record.id, device.id);
      await transaction.updateTable("device").set({ state: "enrolled", approval_code: null, ...(name !== undefined && { name }) }).where("id", "=", device.id).execute();
    });
  }
  await audit(context, "administrator", `approval-${decision}`, device.id);
  return device.id;
}

/** The expected record becomes this device: its name, variables, collections and deployments move over. */
async function adoptRecord(db: SiteContext["db"], recordId: string, deviceId: string): Promise<void> {
  const record = await db.selectFrom("device").select(["name", "variables", "replaces"]).where("id", "=", recordId).executeTakeFirstOrThrow();
  await db.updateTable("collection_member").set({ device_id: deviceId }).where("device_id", "=", recordId).execute();
  await db.updateTable("deployment").set({ device_id: deviceId }).where("device_id", "=", recordId).execute();
  await db.updateTable("device").set({ replaces: deviceId }).where("replaces", "=", recordId).execute();
  await db.deleteFrom("device").where("id", "=", recordId).execute();
  await db.updateTable("device").set({ name: record.name, known: true, variables: JSON.stringify(record.variables), replaces: record.replaces }).where("id", "=", deviceId).execute();
}

async function mediaManifest(context: SiteContext, mediaId: string): Promise<Manifest | undefined> {
  return (await context.db.selectFrom("media").select("manifest").where("media_id", "=", mediaId).executeTakeFirst())?.manifest;
}

/** `PC-` and the serial number where it is usable, else the beginning of the key id. */
function defaultName(serialNumber: string | undefined, keyId: string): string {
  const serial = (serialNumber ?? "").replace(/[^A-Za-z0-9]/g, "").slice(0, 12);
  return `PC-${serial === "" || /^(0+|none|notspecified|default.*|tobefilled.*)$/i.test(serial) ? keyId.slice(0, 8).toUpperCase() : serial}`;
}

/** Marks a device as heard of. */
export async function touchDevice(context: SiteContext, deviceId: string): Promise<void> {
  await context.db.updateTable("device").set({ last_seen: sql<Date>`now()` }).where("id", "=", deviceId).execute();
}
