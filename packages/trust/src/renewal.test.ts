import assert from "node:assert/strict";
import { test } from "node:test";
import { generateSigningKey } from "./keys.ts";
import { openRenewal, signRenewal } from "./renewal.ts";
import { signDocument } from "./signed-document.ts";

const [mediaKey, policyKey] = [generateSigningKey(), generateSigningKey()];
const mediaId = "a".repeat(64);
const renewal = { format: "prestage-renewal-v1", mediaId, validTo: "2028-01-01T00:00:00Z", issued: "2026-06-01T00:00:00Z" } as const;
const expected = { mediaId, notBefore: new Date("2026-01-01T00:00:00Z") };

test("a renewal of this media, signed by a key of the media role, opens", () => {
  assert.deepEqual(openRenewal(signRenewal(renewal, mediaKey), [policyKey.public, mediaKey.public], expected), renewal);
});

test("one of another media, an older one, one signed by another role's key or altered is refused", () => {
  const envelope = signRenewal(renewal, mediaKey);
  assert.throws(() => openRenewal(envelope, [mediaKey.public], { ...expected, mediaId: "b".repeat(64) }), { code: "PRESTAGE_TRUST_RENEWAL_REFUSED" });
  assert.throws(() => openRenewal(envelope, [mediaKey.public], { ...expected, notBefore: new Date("2026-06-02T00:00:00Z") }), { code: "PRESTAGE_TRUST_RENEWAL_REFUSED" });
  assert.throws(() => openRenewal(signRenewal(renewal, policyKey), [mediaKey.public], expected), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  const parsed = JSON.parse(envelope.toString()) as { payload: string };
  const payload = Buffer.from(JSON.stringify({ ...renewal, validTo: "2099-01-01T00:00:00Z" })).toString("base64");
  assert.throws(() => openRenewal(Buffer.from(JSON.stringify({ ...parsed, payload })), [mediaKey.public], expected), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.throws(() => openRenewal(signDocument("manifest", Buffer.from(JSON.stringify(renewal)), [mediaKey]), [mediaKey.public], expected), { code: "PRESTAGE_TRUST_DOCUMENT_KIND" });
  assert.throws(() => openRenewal(signDocument("renewal", Buffer.from("{}"), [mediaKey]), [mediaKey.public], expected), { code: "PRESTAGE_TRUST_DOCUMENT_MALFORMED" });
});
