import assert from "node:assert/strict";
import { test } from "node:test";
import { exportPrivateKey, generateSigningKey } from "./keys.ts";
import { exportSealingKey, generateSealingKey, importSealingKey, openSecret, sealedSecretSchema, sealingPublicKeySchema, sealSecret } from "./sealed-secret.ts";

const key = generateSealingKey();
const binding = { deviceKeyId: "a".repeat(64), deploymentId: "ABC20001", name: "JOIN_PASSWORD", siteCode: "ABC" };
const value = "pässwörd\nof two lines";

test("a secret sealed to a device opens there, after its key was kept in a file too", async () => {
  const sealed = sealedSecretSchema.parse(await sealSecret(key.publicKey, value, binding));
  assert.equal(await openSecret(importSealingKey(exportSealingKey(key)), sealed, binding), value);
  assert.ok(!JSON.stringify(sealed).includes("ssw"));
  assert.notDeepEqual(await sealSecret(key.publicKey, value, binding), sealed, "each sealing is new");
});

test("it opens for no other device, deployment, name or site, and not when altered", async () => {
  const sealed = await sealSecret(key.publicKey, value, binding);
  const refused = { code: "PRESTAGE_TRUST_SECRET_SEALED" };
  await assert.rejects(openSecret(generateSealingKey(), sealed, binding), refused);
  for (const change of [{ deviceKeyId: "b".repeat(64) }, { deploymentId: "ABC20002" }, { name: "OTHER" }, { siteCode: "XYZ" }]) await assert.rejects(openSecret(key, sealed, { ...binding, ...change }), refused);
  for (const part of ["encapsulated", "ciphertext"] as const) {
    const bytes = Buffer.from(sealed[part], "base64");
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await assert.rejects(openSecret(key, { ...sealed, [part]: bytes.toString("base64") }, binding), refused);
    await assert.rejects(openSecret(key, { ...sealed, [part]: "" }, binding), refused);
  }
});

test("what is no X25519 key is refused, as a public key and as a file", async () => {
  assert.ok(sealingPublicKeySchema.safeParse(key.publicKey).success);
  for (const bad of ["", "AAAA", `${"A".repeat(42)}B=`, "A".repeat(44)]) assert.ok(!sealingPublicKeySchema.safeParse(bad).success, bad);
  await assert.rejects(sealSecret(Buffer.alloc(31).toString("base64"), value, binding), { code: "PRESTAGE_TRUST_KEY_MALFORMED" });
  await assert.rejects(sealSecret(Buffer.alloc(32).toString("base64"), value, binding), { code: "PRESTAGE_TRUST_KEY_MALFORMED" }, "a point of low order makes no secret");
  assert.throws(() => importSealingKey(exportPrivateKey(generateSigningKey())), { code: "PRESTAGE_TRUST_KEY_MALFORMED" });
});
