import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { signDocument, verifyDocument } from "./signed-document.ts";

/** 16 random bytes as lower-case hex. */
export const nonceSchema = z.string().regex(/^[0-9a-f]{32}$/);
const signedTimeSchema = z.strictObject({ nonce: nonceSchema, now: z.iso.datetime() });

/** The site's answer to a nonce: its time, signed by the time key. */
export function signTime(nonce: string, now: Date, timeKey: SigningKey): Buffer {
  return signDocument("time", canonicalJson(signedTimeSchema.parse({ nonce, now: now.toISOString() })), [timeKey]);
}

/**
 * The time a site signed in answer to `nonce`; trusted for that signature alone, and never before `floor` (design.md section 7).
 * @throws TrustError PRESTAGE_TRUST_TIME_NONCE, PRESTAGE_TRUST_TIME_BEFORE_FLOOR
 */
export function openSignedTime(envelope: Uint8Array, nonce: string, floor: Date, timeKeys: readonly PublicKey[]): Date {
  const payload = verifyDocument("time", envelope, timeKeys);
  const parsed = signedTimeSchema.safeParse(JSON.parse(payload.toString("utf8")));
  if (!parsed.success) throw new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", "Expected a signed time {nonce, now}; found another form.", { cause: parsed.error });
  if (parsed.data.nonce !== nonce) throw new TrustError("PRESTAGE_TRUST_TIME_NONCE", `Expected the time in answer to nonce ${nonce}; found nonce ${parsed.data.nonce}: an old answer was replayed.`);
  const now = new Date(parsed.data.now);
  if (now < floor) throw new TrustError("PRESTAGE_TRUST_TIME_BEFORE_FLOOR", `Expected a time not before ${floor.toISOString()} (the media's floor); found ${parsed.data.now}. Correct the management point's clock.`);
  return now;
}
