import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "hpke";
import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";

/** The public half of a device's sealing key: the 32 bytes of X25519 (RFC 7748), in base64. */
export const sealingPublicKeySchema = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, "32 bytes in base64");

/** A device's key to open what is sealed to it; the private half never leaves the device. */
export interface SealingKey {
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

/** A secret as it travels: what HPKE encapsulated and the ciphertext, both in base64. */
export const sealedSecretSchema = z.strictObject({ encapsulated: z.base64().max(64), ciphertext: z.base64().max(24_000) });
export type SealedSecret = z.infer<typeof sealedSecretSchema>;

/** What a sealed secret is for; one sealed for another device, deployment, name or site does not open. */
export interface SecretBinding { deviceKeyId: string; deploymentId: string; name: string; siteCode: string }

/** RFC 9180 in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
const info = Buffer.from("prestage-secret-v1");

export function generateSealingKey(): SealingKey {
  return sealingKeyOf(generateKeyPairSync("x25519").privateKey);
}

/** Reads a PKCS#8 PEM private key. @throws TrustError PRESTAGE_TRUST_KEY_MALFORMED */
export function importSealingKey(pem: string): SealingKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "x25519") throw new TypeError(`key type ${String(key.asymmetricKeyType)}`);
    return sealingKeyOf(key);
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_KEY_MALFORMED", "Expected an X25519 private key as PKCS#8 PEM; found something else. Stage the disk again.", { cause });
  }
}

/** The private key as PKCS#8 PEM, for a file of mode 0600 and nothing else. */
export function exportSealingKey(key: SealingKey): string {
  return key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Seals a secret to one device. @throws TrustError PRESTAGE_TRUST_KEY_MALFORMED */
export async function sealSecret(sealingPublicKey: string, value: string, binding: SecretBinding): Promise<SealedSecret> {
  try {
    const publicKey = await suite.DeserializePublicKey(Buffer.from(sealingPublicKey, "base64"));
    const { encapsulatedSecret, ciphertext } = await suite.Seal(publicKey, Buffer.from(value, "utf8"), { aad: boundTo(binding), info });
    return { encapsulated: Buffer.from(encapsulatedSecret).toString("base64"), ciphertext: Buffer.from(ciphertext).toString("base64") };
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_KEY_MALFORMED", "Expected an X25519 public key to seal to; found something else.", { cause });
  }
}

/** @throws TrustError PRESTAGE_TRUST_SECRET_SEALED */
export async function openSecret(key: SealingKey, sealed: SealedSecret, binding: SecretBinding): Promise<string> {
  try {
    const pair = { privateKey: await suite.DeserializePrivateKey(rawPart(key.privateKey, "d")), publicKey: await suite.DeserializePublicKey(Buffer.from(key.publicKey, "base64")) };
    const opened = await suite.Open(pair, Buffer.from(sealed.encapsulated, "base64"), Buffer.from(sealed.ciphertext, "base64"), { aad: boundTo(binding), info });
    return Buffer.from(opened).toString("utf8");
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_SECRET_SEALED", `Expected the secret ${binding.name} sealed to this device for deployment ${binding.deploymentId}; it does not open. It was sealed for another device, or altered on the way.`, { cause });
  }
}

function boundTo({ deviceKeyId, deploymentId, name, siteCode }: SecretBinding): Buffer {
  return canonicalJson({ deploymentId, deviceKeyId, name, siteCode });
}

function sealingKeyOf(privateKey: KeyObject): SealingKey {
  return { publicKey: rawPart(createPublicKey(privateKey), "x").toString("base64"), privateKey };
}

/** The 32 bytes of a half of the key, as its JWK has them (RFC 8037 section 2). */
function rawPart(key: KeyObject, part: "x" | "d"): Buffer {
  const text = key.export({ format: "jwk" })[part];
  return Buffer.from(typeof text === "string" ? text : "", "base64url");
}
