import assert from "node:assert/strict";
import { test } from "node:test";
import { approvalCode, checkChallenge, checkEnrolmentSignature, checkUrlQuery, createChallenge, generateSealingKey, generateSigningKey, signEnrolment, signRequest, signUrlQuery, verifyRequest } from "./index.ts";
import type { HttpRequest } from "./index.ts";

const key = generateSigningKey();
const other = generateSigningKey();
const now = new Date("2026-05-05T00:00:00Z");
const find = async (keyId: string) => [key, other].find((candidate) => candidate.keyId === keyId)?.public;

async function signed(): Promise<HttpRequest> {
  const request: HttpRequest = { method: "POST", url: "https://mp.example/v1/policy?a=1", headers: {}, body: Buffer.from("{}") };
  return { ...request, headers: await signRequest(request, key, now) };
}

test("a signed request verifies under any host name, and tells key and nonce", async () => {
  const request = await signed();
  const verified = await verifyRequest({ ...request, url: "https://10.0.2.2:8443/v1/policy?a=1" }, find, now);
  assert.equal(verified.keyId, key.keyId);
  assert.match(verified.nonce, /^[0-9a-f]{32}$/);
});

for (const [what, alter] of Object.entries({
  "another body": (r) => ({ ...r, body: Buffer.from("{ }") }),
  "another body with its own digest": (r) => ({ ...r, body: Buffer.from("x"), headers: { ...r.headers, "content-digest": "sha-256=:LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=:" } }),
  "another path": (r) => ({ ...r, url: "https://mp.example/v1/status?a=1" }),
  "another query": (r) => ({ ...r, url: "https://mp.example/v1/policy?a=2" }),
  "another method": (r) => ({ ...r, method: "PUT" }),
  "another key's name": (r) => ({ ...r, headers: { ...r.headers, "signature-input": (r.headers["signature-input"] ?? "").replace(key.keyId, other.keyId) } }),
  "no signature": (r) => ({ ...r, headers: { "content-digest": r.headers["content-digest"] ?? "" } }),
} satisfies Record<string, (r: HttpRequest) => HttpRequest>)) {
  test(`a request with ${what} is refused`, async () => {
    await assert.rejects(verifyRequest(alter(await signed()), find, now), { code: "PRESTAGE_TRUST_REQUEST_SIGNATURE" });
  });
}

test("a request of six minutes ago is refused", async () => {
  await assert.rejects(verifyRequest(await signed(), find, new Date(now.getTime() + 360_000)), { code: "PRESTAGE_TRUST_REQUEST_SIGNATURE" });
});

test("a challenge holds for its first message, its site and five minutes", () => {
  const secret = Buffer.alloc(32, 7);
  const first = { mediaId: "a".repeat(64), deviceKey: key.public, sealingKey: generateSealingKey().publicKey, attributes: { macAddresses: [] } };
  const challenge = createChallenge(first, secret, now);
  checkChallenge(first, challenge, secret, now);
  const invalid = { code: "PRESTAGE_TRUST_CHALLENGE_INVALID" };
  assert.throws(() => checkChallenge(first, challenge, Buffer.alloc(32, 8), now), invalid);
  assert.throws(() => checkChallenge({ ...first, deviceKey: other.public }, challenge, secret, now), invalid);
  assert.throws(() => checkChallenge({ ...first, sealingKey: generateSealingKey().publicKey }, challenge, secret, now), invalid);
  assert.throws(() => checkChallenge({ ...first, claimId: "b".repeat(64) }, challenge, secret, now), invalid);
  assert.throws(() => checkChallenge(first, challenge, secret, new Date(now.getTime() + 301_000)), invalid);
  checkEnrolmentSignature(signEnrolment(first, challenge, key));
  assert.throws(() => checkEnrolmentSignature(signEnrolment(first, challenge, other)), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.match(approvalCode(key.public, challenge), /^[A-Z2-7]{6}$/);
  assert.notEqual(approvalCode(key.public, challenge), approvalCode(other.public, challenge));
});

test("a content URL holds for its path until its expiry", () => {
  const query = new URLSearchParams(signUrlQuery("/content/ab/content.wim", "device", 1_800_000_000, key));
  assert.equal(checkUrlQuery("/content/ab/content.wim", query, [key.public], now).deviceId, "device");
  const refused = { code: "PRESTAGE_TRUST_URL_SIGNATURE" };
  assert.throws(() => checkUrlQuery("/content/cd/content.wim", query, [key.public], now), refused);
  assert.throws(() => checkUrlQuery("/content/ab/content.wim", query, [other.public], now), refused);
  assert.throws(() => checkUrlQuery("/content/ab/content.wim", query, [key.public], new Date("2028-01-01")), refused);
});
