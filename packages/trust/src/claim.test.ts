import assert from "node:assert/strict";
import { test } from "node:test";
import { checkClaimProof, createClaim, signClaim } from "./claim.ts";
import { generateSigningKey } from "./keys.ts";

const claim = createClaim();
const device = generateSigningKey().keyId;
const challenge = "1790000000000.abc";
const proof = signClaim(claim, challenge, device);

test("a claim's proof verifies with the public half alone", () => {
  checkClaimProof(claim.public, challenge, device, proof);
});

test("every claim has a key of its own, and its id is the key's", () => {
  const other = createClaim();
  assert.notEqual(other.keyId, claim.keyId);
  assert.equal(claim.public.keyId, claim.keyId);
});

test("a proof serves one challenge, one device key and one claim", () => {
  const refused = { code: "PRESTAGE_TRUST_CLAIM_PROOF" };
  assert.throws(() => checkClaimProof(claim.public, "1790000000001.abc", device, proof), refused);
  assert.throws(() => checkClaimProof(claim.public, challenge, generateSigningKey().keyId, proof), refused);
  assert.throws(() => checkClaimProof(createClaim().public, challenge, device, proof), refused);
  assert.throws(() => checkClaimProof(claim.public, challenge, device, `${proof.startsWith("A") ? "B" : "A"}${proof.slice(1)}`), refused);
  assert.throws(() => checkClaimProof(claim.public, challenge, device, ""), refused);
});

test("a public key under another claim's id is refused", () => {
  assert.throws(() => checkClaimProof({ ...createClaim().public, keyId: claim.keyId }, challenge, device, proof), { code: "PRESTAGE_TRUST_KEY_MALFORMED" });
});
