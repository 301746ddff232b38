import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { signDocument, verifyDocument } from "./signed-document.ts";

/**
 * What prolongs a media without touching its disks: a document of kind `renewal`, signed by a key of the media role, that
 * the site hands to a device at contact. Its `validTo` stands in the place of the manifest's; of several the one issued last counts.
 */
export const renewalSchema = z.strictObject({
  format: z.literal("prestage-renewal-v1"),
  mediaId: z.string().regex(/^[0-9a-f]{64}$/),
  /** RFC 3339, UTC. */
  validTo: z.iso.datetime(),
  issued: z.iso.datetime(),
});
export type Renewal = z.infer<typeof renewalSchema>;

/** The bytes of renewal.dsse.json. */
export function signRenewal(renewal: Renewal, mediaKey: SigningKey): Buffer {
  return signDocument("renewal", canonicalJson(renewalSchema.parse(renewal)), [mediaKey]);
}

/**
 * Opens a renewal of this media: verified under the media role's keys of the newest keyring, then parsed.
 * `notBefore` is the manifest's floor, or the issue time of the renewal kept before: an older one is refused.
 * @throws TrustError PRESTAGE_TRUST_SIGNATURE_INVALID, _DOCUMENT_KIND, _DOCUMENT_MALFORMED, PRESTAGE_TRUST_RENEWAL_REFUSED
 */
export function openRenewal(envelope: Uint8Array, mediaKeys: readonly PublicKey[], expected: { mediaId: string; notBefore: Date }): Renewal {
  const parsed = renewalSchema.safeParse(parseJson(verifyDocument("renewal", envelope, mediaKeys)));
  if (!parsed.success) throw malformed(z.prettifyError(parsed.error), parsed.error);
  const { mediaId, issued } = parsed.data;
  if (mediaId !== expected.mediaId) throw new TrustError("PRESTAGE_TRUST_RENEWAL_REFUSED", `Expected a renewal of media ${expected.mediaId.slice(0, 16)}; found one of ${mediaId.slice(0, 16)}. The media's own validity stands.`);
  if (Date.parse(issued) < expected.notBefore.getTime()) throw new TrustError("PRESTAGE_TRUST_RENEWAL_REFUSED", `Expected a renewal issued not before ${expected.notBefore.toISOString()}; found one of ${issued}. A newer one is known.`);
  return parsed.data;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw malformed("bytes that are not JSON", cause);
  }
}

function malformed(found: string, cause: unknown): TrustError {
  return new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", `Expected a renewal of a media; found: ${found}`, { cause });
}
