import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "@prestage/content";
import { exportPrivateKey, generateSigningKey, importSigningKey, keyRoles, openTrustedKeyring, signKeyring } from "@prestage/trust";
import type { KeyRole, Keyring, SigningKey } from "@prestage/trust";
import { SiteError } from "../error.ts";
import { createAuthority } from "./certificate-authority.ts";
import type { Authority } from "./certificate-authority.ts";

/** Roles whose keys the server signs with; the root key is read only when a keyring is signed, and may lie elsewhere in between. */
export type SigningRole = Exclude<KeyRole, "root">;

/** The site's keys: files of mode 0600 below the data directory, never in the database, never sent anywhere. */
export interface SiteKeys {
  signing: Record<SigningRole, SigningKey>;
  keyring: Keyring;
  keyringEnvelope: Buffer;
  /** Every keyring there was, from the first to the present one. */
  keyringChain: Buffer[];
  authority: Authority;
  /** Binds enrolment challenges to this site. */
  challengeSecret: Buffer;
  /** Seals secret variables at rest (AES-256). */
  secretsKey: Buffer;
  /** The administration API's token; the file admin-token holds it. */
  adminToken: string;
}

export const keyringLifetimeMs = 10 * 365 * 86_400_000;

/** Loads the keys, making all of them at first start. @throws SiteError PRESTAGE_SITE_KEY_MISSING */
export async function loadSiteKeys(dataDirectory: string, siteCode: string, now: Date): Promise<SiteKeys> {
  const folder = keysFolder(dataDirectory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = await createAuthority(join(folder, "tls-ca.pem"), join(folder, "tls-ca-key.pem"), `Prestage site ${siteCode}`, now);
  if (!(await exists(join(folder, keyringFile)))) await makeFirstKeyring(folder, authority, siteCode, now);
  return {
    ...(await loadKeyring(folder)),
    authority,
    challengeSecret: Buffer.from(await readOrMake(join(folder, "challenge-secret"), () => randomBytes(32).toString("hex")), "hex"),
    secretsKey: Buffer.from(await readOrMake(join(folder, "secrets-key"), () => randomBytes(32).toString("hex")), "hex"),
    adminToken: (await readOrMake(join(dataDirectory, "admin-token"), () => `${randomBytes(32).toString("base64url")}\n`)).trim(),
  };
}

export const keyringFile = "keyring.dsse.json";
export function keysFolder(dataDirectory: string): string {
  return join(dataDirectory, "keys");
}
/** The file of a role's key first used in this version of the keyring. */
export function keyFile(role: KeyRole, version: number): string {
  return version === 1 ? `${role}.pem` : `${role}-${version}.pem`;
}
/** The file an earlier keyring is kept in. */
export function earlierKeyringFile(version: number): string {
  return `keyring-${version}.dsse.json`;
}

/** The present keyring, those before it, and the private keys it names. */
export async function loadKeyring(folder: string): Promise<Pick<SiteKeys, "signing" | "keyring" | "keyringEnvelope" | "keyringChain">> {
  const keyringEnvelope = await readFile(join(folder, keyringFile));
  const keyring = openTrustedKeyring(keyringEnvelope);
  const keyringChain: Buffer[] = [];
  for (let version = 1; version < keyring.version; version++) keyringChain.push(await readFile(join(folder, earlierKeyringFile(version))));
  const signing = {} as Record<SigningRole, SigningKey>;
  for (const role of keyRoles) if (role !== "root") signing[role] = await loadKey(folder, role, keyring);
  return { signing, keyring, keyringEnvelope, keyringChain: [...keyringChain, keyringEnvelope] };
}

/** The private key of the first one a keyring names for a role: a file from another keyring is passed over. @throws SiteError PRESTAGE_SITE_KEY_MISSING */
export async function loadKey(folder: string, role: KeyRole, keyring: Keyring): Promise<SigningKey> {
  const expected = keyring.roles[role][0]?.keyId ?? "";
  for (let version = keyring.version; version >= 1; version--) {
    const path = join(folder, keyFile(role, version));
    const key = (await exists(path)) ? importSigningKey(await readFile(path, "utf8")) : undefined;
    if (key?.keyId === expected) return key;
  }
  throw new SiteError("PRESTAGE_SITE_KEY_MISSING", `Expected the ${role} key ${expected.slice(0, 16)} of keyring ${keyring.version} in ${folder}; found none. Put the key file back, from a backup or from where it is kept.`);
}

/** All keys first, the keyring last: only with it they count, and a start that was cut off begins again with the same keys. */
async function makeFirstKeyring(folder: string, authority: Authority, siteCode: string, now: Date): Promise<void> {
  const keys = {} as Record<KeyRole, SigningKey>;
  for (const role of keyRoles) keys[role] = importSigningKey(await readOrMake(join(folder, keyFile(role, 1)), () => exportPrivateKey(generateSigningKey())));
  const of = (role: KeyRole) => [keys[role].public];
  const keyring: Keyring = {
    siteCode, version: 1, issued: now.toISOString(), expires: new Date(now.getTime() + keyringLifetimeMs).toISOString(), tlsCa: authority.certificate,
    roles: { root: of("root"), media: of("media"), policy: of("policy"), time: of("time"), url: of("url") },
  };
  await writeDurably(join(folder, keyringFile), signKeyring(keyring, [keys.root]), 0o600);
}

/** Reads a file of secrets, or makes it, whole and durable. */
export async function readOrMake(path: string, make: () => string): Promise<string> {
  if (!(await exists(path))) await writeDurably(path, Buffer.from(make()), 0o600);
  return readFile(path, "utf8");
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
