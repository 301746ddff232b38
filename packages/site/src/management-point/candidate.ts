import type { Manifest } from "@prestage/media";
import type { ChallengeRequest, DeviceAttributes } from "@prestage/trust";
import type { SiteContext } from "../site-context.ts";
import type { Standing } from "../store/standing.ts";

/** A first message that was looked at: its media, its attributes as the database can hold them, its code for the screen. */
export interface Candidate { first: ChallengeRequest; manifest: Manifest; attributes: DeviceAttributes; code: string; source: string }

export const notKnown = "This computer is not known to the site, and its media does not allow unknown computers. Add a device record with its serial number or MAC address.";

/** The device's row, made or found by its key, waiting. Its keys and attributes are those of the first time. */
export async function keepCandidate(context: Pick<SiteContext, "db" | "now">, candidate: Candidate, record: { name: string } | undefined): Promise<{ id: string; state: Standing["state"] }> {
  const { first, attributes, code } = candidate;
  return context.db
    .insertInto("device")
    .values({
      name: record?.name ?? defaultName(attributes.serialNumber, first.deviceKey.keyId), state: "waiting", known: record !== undefined, key_id: first.deviceKey.keyId, public_key: first.deviceKey.publicKey,
      sealing_key: first.sealingKey, claim_id: first.claimId ?? null, approval_code: code, media_id: first.mediaId, attributes: JSON.stringify(attributes), replaces: null, variables: "[]", last_seen: context.now(),
    })
    .onConflict((conflict) => conflict.column("key_id").doUpdateSet({ last_seen: context.now(), approval_code: code }))
    .returning(["id", "state"])
    .executeTakeFirstOrThrow();
}

/** The more wait, the more rarely each asks: 1,000 computers ask 50 times a second in all. */
export function retryAfter(waiting: number): number {
  return Math.max(2, Math.ceil(waiting / 50));
}

/** `PC-` and the serial number where it is usable, else the beginning of the key id. */
function defaultName(serialNumber: string | undefined, keyId: string): string {
  const serial = (serialNumber ?? "").replace(/[^A-Za-z0-9]/g, "").slice(0, 12);
  return `PC-${serial === "" || /^(0+|none|notspecified|default.*|tobefilled.*)$/i.test(serial) ? keyId.slice(0, 8).toUpperCase() : serial}`;
}
