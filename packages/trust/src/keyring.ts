import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import { publicKeySchema } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { signDocument, verifyDocument } from "./signed-document.ts";

/** The roles a key can have (design.md section 7); a key of another role is refused. */
export type KeyRole = "root" | "media" | "policy" | "time" | "url";
export const keyRoles: readonly KeyRole[] = ["root", "media", "policy", "time", "url"];

export const keyringSchema = z.strictObject({
  siteCode: z.string().regex(/^[A-Z0-9]{3}$/),
  version: z.int().min(1),
  /** RFC 3339, UTC. */
  issued: z.iso.datetime(),
  expires: z.iso.datetime(),
  /** PEM of the CA every TLS connection to the site must chain to. */
  tlsCa: z.string().max(20_000),
  roles: z.strictObject({
    root: z.array(publicKeySchema).min(1).max(8),
    media: z.array(publicKeySchema).min(1).max(8),
    policy: z.array(publicKeySchema).min(1).max(8),
    time: z.array(publicKeySchema).min(1).max(8),
    url: z.array(publicKeySchema).min(1).max(8),
  }),
});
export type Keyring = z.infer<typeof keyringSchema>;

/** Signs a keyring with the root key; the bytes are the file keyring.dsse.json. */
export function signKeyring(keyring: Keyring, rootKeys: readonly SigningKey[]): Buffer {
  return signDocument("keyring", canonicalJson(keyringSchema.parse(keyring)), rootKeys);
}

/**
 * Opens the keyring this device was built with: it is trusted because it came with the boot image, and must be signed by its own root.
 * @throws TrustError
 */
export function openTrustedKeyring(envelope: Uint8Array): Keyring {
  const claimed = parseKeyring(payloadWithoutTrust(envelope));
  return parseKeyring(verifyDocument("keyring", envelope, claimed.roles.root));
}

/**
 * Opens keyring n+1, which counts only if a root key of keyring n signed it (design.md section 7).
 * @throws TrustError PRESTAGE_TRUST_KEYRING_SUCCESSION
 */
export function openSuccessorKeyring(trusted: Keyring, envelope: Uint8Array): Keyring {
  const next = parseKeyring(verifyDocument("keyring", envelope, trusted.roles.root));
  if (next.version !== trusted.version + 1 || next.siteCode !== trusted.siteCode) {
    throw new TrustError("PRESTAGE_TRUST_KEYRING_SUCCESSION", `Expected keyring ${trusted.siteCode} version ${trusted.version + 1}; found ${next.siteCode} version ${next.version}.`);
  }
  return next;
}

/**
 * Opens the keyrings that follow a trusted one, each signed by a root key of the one before; the last is the one to trust from then on.
 * @throws TrustError
 */
export function openKeyringChain(trusted: Keyring, envelopes: readonly Uint8Array[]): Keyring[] {
  const chain = [trusted];
  for (const envelope of envelopes) chain.push(openSuccessorKeyring(chain.at(-1) ?? trusted, envelope));
  return chain;
}

/** @throws TrustError PRESTAGE_TRUST_KEYRING_EXPIRED */
export function checkKeyringExpiry(keyring: Keyring, signedTime: Date): void {
  if (signedTime.getTime() > Date.parse(keyring.expires)) {
    throw new TrustError("PRESTAGE_TRUST_KEYRING_EXPIRED", `The keyring (version ${keyring.version}) expired on ${keyring.expires}; the site's time is ${signedTime.toISOString()}. Build new media with a renewed keyring.`);
  }
}

export function keysOfRole(keyring: Keyring, role: KeyRole): readonly PublicKey[] {
  return keyring.roles[role];
}

function payloadWithoutTrust(envelope: Uint8Array): Buffer {
  try {
    const payload: unknown = (JSON.parse(Buffer.from(envelope).toString("utf8")) as { payload?: unknown }).payload;
    if (typeof payload === "string") return Buffer.from(payload, "base64");
  } catch {
    // Falls through to the one error below: what it is not matters more than why.
  }
  throw new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", "Expected the keyring as a DSSE envelope; found something else.");
}

function parseKeyring(payload: Uint8Array): Keyring {
  try {
    return keyringSchema.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", "Expected a keyring of format version 1; found a payload of another form.", { cause });
  }
}
