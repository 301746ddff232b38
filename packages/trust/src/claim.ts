import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import { generateSigningKey, signBytes, verifyBytes } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";

/**
 * A claim is a key pair made for one staged disk (design.md section 7). The private half lies on that disk and nowhere
 * else; the public half stands in the receipt, which the depot's key signs. The claim's id is the id of its key.
 */
export function createClaim(): SigningKey {
  return generateSigningKey();
}

/** What the claim's key signs at enrolment: bound to the site's challenge and to the device key, so a proof overheard serves nobody else. */
export function claimProofBytes(claimId: string, challenge: string, deviceKeyId: string): Buffer {
  return Buffer.concat([Buffer.from("prestage-claim-v1\n"), canonicalJson({ challenge, claimId, deviceKeyId })]);
}

/** The proof of a claim: the claim key's signature, base64. */
export function signClaim(claimKey: SigningKey, challenge: string, deviceKeyId: string): string {
  return signBytes(claimKey, claimProofBytes(claimKey.keyId, challenge, deviceKeyId)).toString("base64");
}

/** Proves that the sender holds the claim's private half. @throws TrustError PRESTAGE_TRUST_CLAIM_PROOF, PRESTAGE_TRUST_KEY_MALFORMED */
export function checkClaimProof(claimKey: PublicKey, challenge: string, deviceKeyId: string, signature: string): void {
  if (!verifyBytes(claimKey, claimProofBytes(claimKey.keyId, challenge, deviceKeyId), Buffer.from(signature, "base64"))) {
    throw new TrustError("PRESTAGE_TRUST_CLAIM_PROOF", `Expected a proof made by the key of claim ${claimKey.keyId.slice(0, 12)} for this challenge and device key; the signature does not verify. The disk's claim key is damaged or another disk's; the computer can still be approved.`);
  }
}
