import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import { publicKeySchema, signBytes, verifyBytes } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { sealingPublicKeySchema } from "./sealed-secret.ts";

/** What a machine says of itself. Attributes choose among records; they never grant anything (design.md section 7). */
export const deviceAttributesSchema = z.strictObject({
  smbiosUuid: z.string().max(64).optional(),
  serialNumber: z.string().max(128).optional(),
  manufacturer: z.string().max(128).optional(),
  model: z.string().max(128).optional(),
  macAddresses: z.array(z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)).max(32),
  memoryMiB: z.int().min(0).optional(),
  diskSerial: z.string().max(128).optional(),
});
export type DeviceAttributes = z.infer<typeof deviceAttributesSchema>;

/** First message of enrolment: the device shows its public keys, what it is, and the claim that lies on its disk. */
export const challengeRequestSchema = z.strictObject({
  mediaId: z.string().regex(/^[0-9a-f]{64}$/),
  /** Signs. */
  deviceKey: publicKeySchema,
  /** Opens what is sealed to this device. */
  sealingKey: sealingPublicKeySchema,
  claimId: z.string().regex(/^[0-9a-f]{64}$/).optional(),
  attributes: deviceAttributesSchema,
});
export type ChallengeRequest = z.infer<typeof challengeRequestSchema>;

/** What may be proven besides the device key. `approval` proves nothing and waits for an administrator. */
export const proofKinds = ["claim", "password", "approval"] as const;
export type ProofKind = (typeof proofKinds)[number];

/** One proof; a password travels only over TLS pinned to the keyring's CA, and is checked at the site. */
export const enrolmentProofSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("claim"), signature: z.string().max(100) }),
  z.strictObject({ kind: z.literal("password"), password: z.string().min(1).max(128) }),
  z.strictObject({ kind: z.literal("approval") }),
]);
export type EnrolmentProof = z.infer<typeof enrolmentProofSchema>;

/** Second message: the same, the challenge, the device key's signature over both, and one proof. */
export const enrolmentRequestSchema = z.strictObject({
  first: challengeRequestSchema,
  challenge: z.string().max(500),
  proof: enrolmentProofSchema,
  signature: z.string().max(100),
});
export type EnrolmentRequest = z.infer<typeof enrolmentRequestSchema>;

/** A challenge lives five minutes. */
export const challengeLifetimeMs = 5 * 60_000;

/**
 * A challenge the site need not store: time and an HMAC that binds it to the first message.
 * A replay within its life only repeats the same enrolment.
 */
export function createChallenge(first: ChallengeRequest, secret: Uint8Array, now: Date): string {
  const issued = String(now.getTime());
  return `${issued}.${challengeMac(first, issued, secret)}`;
}

/** @throws TrustError PRESTAGE_TRUST_CHALLENGE_INVALID */
export function checkChallenge(first: ChallengeRequest, challenge: string, secret: Uint8Array, now: Date): void {
  const [issued = "", mac = ""] = challenge.split(".");
  const expected = Buffer.from(challengeMac(first, issued, secret));
  const found = Buffer.from(mac);
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) {
    throw new TrustError("PRESTAGE_TRUST_CHALLENGE_INVALID", "Expected a challenge this site made for this device; found another. Ask for a new challenge.");
  }
  const age = now.getTime() - Number(issued);
  if (!(age >= -1000 && age <= challengeLifetimeMs)) {
    throw new TrustError("PRESTAGE_TRUST_CHALLENGE_INVALID", `Expected a challenge of the last ${challengeLifetimeMs / 60_000} minutes; found one ${Math.round(age / 1000)} s old. Ask for a new challenge.`);
  }
}

export function signEnrolment(first: ChallengeRequest, challenge: string, deviceKey: SigningKey, proof: EnrolmentProof = { kind: "approval" }): EnrolmentRequest {
  return { first, challenge, proof, signature: signBytes(deviceKey, enrolmentBytes(first, challenge)).toString("base64") };
}

/** Proves that the sender holds the device key. @throws TrustError PRESTAGE_TRUST_SIGNATURE_INVALID */
export function checkEnrolmentSignature(request: EnrolmentRequest): void {
  if (!verifyBytes(request.first.deviceKey, enrolmentBytes(request.first, request.challenge), Buffer.from(request.signature, "base64"))) {
    throw new TrustError("PRESTAGE_TRUST_SIGNATURE_INVALID", "Expected the enrolment to be signed by the device key it names; the signature does not verify.");
  }
}

/**
 * The six characters a person compares on screen and at the site: base32 (RFC 4648) of a SHA-256 over device key and challenge.
 */
export function approvalCode(deviceKey: PublicKey, challenge: string): string {
  const digest = createHash("sha256").update(canonicalJson({ challenge, deviceKey: deviceKey.keyId })).digest();
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let code = "";
  let bits = digest.readUInt32BE(0);
  for (let i = 0; i < 6; i++) {
    code += alphabet[bits >>> 27] ?? "A";
    bits = (bits << 5) >>> 0;
    if (i === 4) bits = digest.readUInt32BE(4);
  }
  return code;
}

function challengeMac(first: ChallengeRequest, issued: string, secret: Uint8Array): string {
  return createHmac("sha256", secret).update(canonicalJson({ first, issued })).digest("base64url");
}

function enrolmentBytes(first: ChallengeRequest, challenge: string): Buffer {
  return Buffer.concat([Buffer.from("prestage-enrolment-v1\n"), canonicalJson({ challenge, first })]);
}
