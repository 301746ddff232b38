import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { generateSigningKey, openSignedTime, openSuccessorKeyring, openTrustedKeyring, signDocument, signKeyring, signTime, verifyDocument } from "./index.ts";
import type { Keyring } from "./index.ts";

const key = generateSigningKey();
const other = generateSigningKey();

test("what was signed comes back byte for byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (payload) => {
      const envelope = signDocument("policy", payload, [key]);
      assert.deepEqual(new Uint8Array(verifyDocument("policy", envelope, [key.public])), payload);
    }),
  );
});

test("any altered byte of the payload is refused", () => {
  const payload = Buffer.from('{"a":1}');
  const envelope = signDocument("policy", payload, [key]);
  for (let i = 0; i < payload.length; i++) {
    const altered = Buffer.from(payload);
    altered[i] = (altered[i] ?? 0) ^ 1;
    const forged = Buffer.from(envelope.toString().replace(payload.toString("base64"), altered.toString("base64")));
    assert.throws(() => verifyDocument("policy", forged, [key.public]), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  }
});

test("a document of another kind, or signed by another key, is refused", () => {
  const envelope = signDocument("policy", Buffer.from("{}"), [key]);
  assert.throws(() => verifyDocument("manifest", envelope, [key.public]), { code: "PRESTAGE_TRUST_DOCUMENT_KIND" });
  assert.throws(() => verifyDocument("policy", envelope, [other.public]), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
});

test("hostile bytes end in a typed error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map((text) => new Uint8Array(Buffer.from(text)))), (bytes) => {
      assert.throws(() => verifyDocument("policy", bytes, [key.public]), { name: "TrustError" });
      assert.throws(() => openTrustedKeyring(bytes), { name: "TrustError" });
    }),
  );
});

function keyring(version: number, root = key): Keyring {
  return {
    siteCode: "ABC", version, issued: "2026-01-01T00:00:00Z", expires: "2036-01-01T00:00:00Z", tlsCa: "pem",
    roles: { root: [root.public], media: [key.public], policy: [key.public], time: [key.public], url: [key.public] },
  };
}

test("a keyring counts when its own root signed it, its successor when the old root did", () => {
  const first = openTrustedKeyring(signKeyring(keyring(1), [key]));
  assert.throws(() => openTrustedKeyring(signKeyring(keyring(1), [other])), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.equal(openSuccessorKeyring(first, signKeyring(keyring(2, other), [key])).version, 2);
  assert.throws(() => openSuccessorKeyring(first, signKeyring(keyring(2, other), [other])), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.throws(() => openSuccessorKeyring(first, signKeyring(keyring(3), [key])), { code: "PRESTAGE_TRUST_KEYRING_SUCCESSION" });
});

test("signed time answers its nonce, by its key, not before the floor", () => {
  const nonce = "0".repeat(32);
  const envelope = signTime(nonce, new Date("2026-05-05T00:00:00Z"), key);
  const floor = new Date("2026-01-01T00:00:00Z");
  assert.equal(openSignedTime(envelope, nonce, floor, [key.public]).toISOString(), "2026-05-05T00:00:00.000Z");
  assert.throws(() => openSignedTime(envelope, "1".repeat(32), floor, [key.public]), { code: "PRESTAGE_TRUST_TIME_NONCE" });
  assert.throws(() => openSignedTime(envelope, nonce, new Date("2027-01-01T00:00:00Z"), [key.public]), { code: "PRESTAGE_TRUST_TIME_BEFORE_FLOOR" });
  assert.throws(() => openSignedTime(envelope, nonce, floor, [other.public]), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
});
