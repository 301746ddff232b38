import { join } from "node:path";
import { writeDurably } from "@prestage/content";
import { exportPrivateKey, generateSigningKey, signKeyring } from "@prestage/trust";
import type { KeyRole, Keyring, SigningKey } from "@prestage/trust";
import { earlierKeyringFile, keyFile, keyringFile, keyringLifetimeMs, keysFolder, loadKey, loadKeyring } from "./site-keys.ts";
import type { SiteKeys } from "./site-keys.ts";

/** As many keys of a role a keyring may name. */
const maximumKeys = 8;

export interface Rotation { roles: readonly KeyRole[]; /** Media signed by earlier keys are no longer recognised. */ forgetMediaKeys: boolean }

/**
 * Makes keyring n+1 with new keys for some roles, signed by the root key of keyring n (and by its own, where that is new), and uses it
 * from now on. The keyring's rename is the moment it counts: cut off before it, the old one stands, and the files it left are passed over.
 * @throws SiteError PRESTAGE_SITE_KEY_MISSING where the root key is kept elsewhere
 */
export async function rotateKeyring(dataDirectory: string, keys: SiteKeys, rotation: Rotation, now: Date): Promise<void> {
  const folder = keysFolder(dataDirectory);
  const { keyring } = keys;
  const root = await loadKey(folder, "root", keyring);
  const version = keyring.version + 1;
  const signers: SigningKey[] = [root];
  const roles = { ...keyring.roles };
  for (const role of new Set(rotation.roles)) {
    const key = generateSigningKey();
    await writeDurably(join(folder, keyFile(role, version)), Buffer.from(exportPrivateKey(key)), 0o600);
    // Media laid on disks long ago stay what they are; nothing else signed by an earlier key is still wanted.
    const earlier = role === "media" && !rotation.forgetMediaKeys ? keyring.roles.media : [];
    roles[role] = [key.public, ...earlier].slice(0, maximumKeys);
    if (role === "root") signers.push(key);
  }
  const next: Keyring = { ...keyring, version, roles, issued: now.toISOString(), expires: new Date(now.getTime() + keyringLifetimeMs).toISOString() };
  await writeDurably(join(folder, earlierKeyringFile(keyring.version)), keys.keyringEnvelope, 0o600);
  await writeDurably(join(folder, keyringFile), signKeyring(next, signers), 0o600);
  Object.assign(keys, await loadKeyring(folder));
}
