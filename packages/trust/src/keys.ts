import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { TrustError } from "./error.ts";

/** A public key as it stands in documents: `keyId` is the lower-case hex SHA-256 of the SPKI DER, `publicKey` that DER in base64. */
export const publicKeySchema = z.strictObject({
  keyId: z.string().regex(/^[0-9a-f]{64}$/),
  publicKey: z.string().max(200).regex(/^[A-Za-z0-9+/]+={0,2}$/),
});
export type PublicKey = z.infer<typeof publicKeySchema>;

/** A key pair that can sign. The private half never leaves memory but through `exportPrivateKey`. */
export interface SigningKey {
  readonly keyId: string;
  readonly public: PublicKey;
  readonly privateKey: KeyObject;
}

/** Makes a new Ed25519 key pair. */
export function generateSigningKey(): SigningKey {
  return signingKeyOf(generateKeyPairSync("ed25519").privateKey);
}

/** Reads a PKCS#8 PEM private key. @throws TrustError PRESTAGE_TRUST_KEY_MALFORMED */
export function importSigningKey(pem: string): SigningKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError(`key type ${String(key.asymmetricKeyType)}`);
    return signingKeyOf(key);
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_KEY_MALFORMED", "Expected an Ed25519 private key as PKCS#8 PEM; found something else. Restore the key file from a backup.", { cause });
  }
}

/** The private key as PKCS#8 PEM, for a file of mode 0600 and nothing else. */
export function exportPrivateKey(key: SigningKey): string {
  return key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Checks that `keyId` is the hash of the key it stands beside, and that the key is Ed25519. */
export function importPublicKey(record: PublicKey): KeyObject {
  const der = Buffer.from(record.publicKey, "base64");
  if (createHash("sha256").update(der).digest("hex") !== record.keyId) {
    throw new TrustError("PRESTAGE_TRUST_KEY_MALFORMED", `Expected key id ${record.keyId} to be the SHA-256 of its key; it is not. The document that carries it was altered.`);
  }
  try {
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError(`key type ${String(key.asymmetricKeyType)}`);
    return key;
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_KEY_MALFORMED", `Expected key ${record.keyId} to be an Ed25519 public key; found something else.`, { cause });
  }
}

/** Ed25519 signature (64 bytes) over the bytes as they are. */
export function signBytes(key: SigningKey, bytes: Uint8Array): Buffer {
  return sign(null, bytes, key.privateKey);
}

export function verifyBytes(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, bytes, importPublicKey(key), signature);
}

function signingKeyOf(privateKey: KeyObject): SigningKey {
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const keyId = createHash("sha256").update(der).digest("hex");
  return { keyId, public: { keyId, publicKey: der.toString("base64") }, privateKey };
}
