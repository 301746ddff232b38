import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "@prestage/content";
import { exportPrivateKey, generateSigningKey, importSigningKey, keyRoles, openTrustedKeyring, signKeyring } from "@prestage/trust";
import type { KeyRole, Keyring, SigningKey } from "@prestage/trust";
import { createAuthority } from "./certificate-authority.ts";
import type { Authority } from "./certificate-authority.ts";

/** The site's keys: files of mode 0600 below the data directory, never in the database, never sent anywhere. */
export interface SiteKeys {
  signing: Record<KeyRole, SigningKey>;
  keyring: Keyring;
  keyringEnvelope: Buffer;
  authority: Authority;
  /** Binds enrolment challenges to this site. */
  challengeSecret: Buffer;
  /** Seals secret variables at rest (AES-256). */
  secretsKey: Buffer;
  /** The administration API's token; the file admin-token holds it. */
  adminToken: string;
}

const tenYearsMs = 10 * 365 * 86_400_000;

/** Loads the keys, making what is missing at first start. */
export async function loadSiteKeys(dataDirectory: string, siteCode: string, now: Date): Promise<SiteKeys> {
  const folder = join(dataDirectory, "keys");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const signing = {} as Record<KeyRole, SigningKey>;
  for (const role of keyRoles) {
    signing[role] = importSigningKey(await readOrMake(join(folder, `${role}.pem`), () => exportPrivateKey(generateSigningKey())));
  }
  const authority = await createAuthority(join(folder, "tls-ca.pem"), join(folder, "tls-ca-key.pem"), `Prestage site ${siteCode}`, now);
  const keyringEnvelope = Buffer.from(await readOrMake(join(folder, "keyring.dsse.json"), () => firstKeyring(signing, authority, siteCode, now)));
  return {
    signing, authority, keyringEnvelope,
    keyring: openTrustedKeyring(keyringEnvelope),
    challengeSecret: Buffer.from(await readOrMake(join(folder, "challenge-secret"), () => randomBytes(32).toString("hex")), "hex"),
    secretsKey: Buffer.from(await readOrMake(join(folder, "secrets-key"), () => randomBytes(32).toString("hex")), "hex"),
    adminToken: (await readOrMake(join(dataDirectory, "admin-token"), () => `${randomBytes(32).toString("base64url")}\n`)).trim(),
  };
}

function firstKeyring(signing: Record<KeyRole, SigningKey>, authority: Authority, siteCode: string, now: Date): string {
  const of = (role: KeyRole) => [signing[role].public];
  const keyring: Keyring = {
    siteCode, version: 1, issued: now.toISOString(), expires: new Date(now.getTime() + tenYearsMs).toISOString(), tlsCa: authority.certificate,
    roles: { root: of("root"), media: of("media"), policy: of("policy"), time: of("time"), url: of("url") },
  };
  return signKeyring(keyring, [signing.root]).toString("utf8");
}

/** Reads a file of secrets, or makes it, whole and durable. */
export async function readOrMake(path: string, make: () => string): Promise<string> {
  if (!(await stat(path).then(() => true, () => false))) await writeDurably(path, Buffer.from(make()), 0o600);
  return readFile(path, "utf8");
}
