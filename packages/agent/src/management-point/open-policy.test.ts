import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Policy, PolicyAnswer } from "@prestage/contract";
import { canonicalJson, generateSigningKey, signDocument } from "@prestage/trust";
import type { Keyring, SigningKey } from "@prestage/trust";
import { openKeptPolicy, openPolicy } from "./open-policy.ts";

const keys = { root: generateSigningKey(), media: generateSigningKey(), policy: generateSigningKey(), time: generateSigningKey(), url: generateSigningKey() };
const ringOf = (version: number, policy: SigningKey): Keyring => ({
  siteCode: "ABC", version, issued: "2026-01-01T00:00:00Z", expires: "2036-01-01T00:00:00Z", tlsCa: "",
  roles: { root: [keys.root.public], media: [keys.media.public], policy: [policy.public], time: [keys.time.public], url: [keys.url.public] },
});
const keyring = ringOf(1, keys.policy);
const device = generateSigningKey();
const expected = { keyring, deviceKeyId: device.keyId, floor: new Date("2026-01-01T00:00:00Z"), now: new Date("2026-06-01T12:00:00Z"), highestNumber: 7 };
const sequence = canonicalJson({ id: "ABC00001", name: "One", steps: [{ id: "a", name: "a", type: "restart" }] });

function policyOf(change: Partial<Policy> = {}): Policy {
  return {
    format: "prestage-policy-v1", keyringVersion: 1, deviceKeyId: device.keyId, deviceId: "d", deviceName: "PC", number: 8, issued: "2026-06-01T00:00:00Z", expires: "2026-06-02T00:00:00Z", offers: [],
    selected: { deploymentId: "ABC20001", taskSequence: { id: "ABC00001", name: "One", sha256: createHash("sha256").update(sequence).digest("hex") }, content: [], distributionPoints: [], variables: [] },
    ...change,
  };
}
function answerOf(change: Partial<Policy> = {}, by: SigningKey = keys.policy, payload: Uint8Array = sequence, kind: "policy" | "manifest" = "policy"): PolicyAnswer {
  return { policy: signDocument(kind, canonicalJson(policyOf(change)), [by]).toString("base64"), taskSequence: signDocument("task-sequence", payload, [by]).toString("base64") };
}

test("a policy for this device, in its time, is opened with its sequence; the same number again is not an older one", () => {
  assert.equal(openPolicy(answerOf(), expected).sequence?.name, "One");
  assert.equal(openPolicy(answerOf({ number: 7 }), expected).policy.number, 7);
});

const refusals: [string, PolicyAnswer, string][] = [
  ["for another device", answerOf({ deviceKeyId: generateSigningKey().keyId }), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["of an older number than one journalled", answerOf({ number: 6 }), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["that has expired", answerOf({ expires: "2026-06-01T11:59:59Z" }), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["issued before the media's floor", answerOf({ issued: "2025-12-31T23:59:59Z" }), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["under another keyring", answerOf({ keyringVersion: 2 }), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["signed by the media key", answerOf({}, keys.media), "PRESTAGE_TRUST_SIGNATURE_INVALID"],
  ["signed by the time key", answerOf({}, keys.time), "PRESTAGE_TRUST_SIGNATURE_INVALID"],
  ["signed by another site", answerOf({}, generateSigningKey()), "PRESTAGE_TRUST_SIGNATURE_INVALID"],
  ["that is a document of another kind", answerOf({}, keys.policy, sequence, "manifest"), "PRESTAGE_TRUST_DOCUMENT_KIND"],
  ["with another sequence than the one it names", answerOf({}, keys.policy, canonicalJson({ name: "Two", steps: [{ id: "a", name: "a", type: "restart" }] })), "PRESTAGE_AGENT_POLICY_REFUSED"],
  ["with a sequence the media key signed", { ...answerOf(), taskSequence: answerOf({}, keys.media).taskSequence ?? "" }, "PRESTAGE_TRUST_SIGNATURE_INVALID"],
  ["without the sequence it names", { policy: answerOf().policy }, "PRESTAGE_TRUST_DOCUMENT_MALFORMED"],
];
for (const [what, answer, code] of refusals) test(`a policy ${what} is refused`, () => assert.throws(() => openPolicy(answer, expected), { code }));

test("what a run was chosen by opens under the keyring of that day, and under no other", () => {
  const next = ringOf(2, generateSigningKey());
  const kept = { deviceKeyId: device.keyId, floor: expected.floor };
  assert.equal(openKeptPolicy(answerOf(), { ...kept, keyrings: [keyring, next] }).policy.number, 8);
  assert.throws(() => openKeptPolicy(answerOf(), { ...kept, keyrings: [next] }), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.throws(() => openKeptPolicy(answerOf({}, keys.media), { ...kept, keyrings: [keyring, next] }), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
});
