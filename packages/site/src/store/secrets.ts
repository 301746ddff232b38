import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { DeviceGiven, SecretRecord, SecretScope } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";

/** Whose secret it is; it stands in the sealed bytes' associated data, so that a row moved to another owner in the database does not open. */
interface Owner { scope: SecretScope; ownerId: string }
/** Who would get it; without a deployment those of none. */
interface Recipient { deviceId: string; deploymentId: string | undefined }

const ivBytes = 12;
const tagBytes = 16;

/** Keeps a secret variable, sealed by AES-256-GCM under the site's secrets key; the database never sees its value. */
export async function setSecret(db: Database, key: Buffer, owner: Owner, name: string, value: string): Promise<void> {
  await requireOwner(db, owner);
  const row = { scope: owner.scope, owner_id: owner.ownerId, name_key: name.toLowerCase(), name, sealed: seal(key, owner, name, value) };
  await db.insertInto("secret").values(row).onConflict((conflict) => conflict.columns(["scope", "owner_id", "name_key"]).doUpdateSet({ name, sealed: row.sealed, changed: new Date() })).execute();
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function removeSecret(db: Database, owner: Owner, name: string): Promise<void> {
  const removed = await db.deleteFrom("secret").where("scope", "=", owner.scope).where("owner_id", "=", owner.ownerId).where("name_key", "=", name.toLowerCase()).returning("name").executeTakeFirst();
  if (removed === undefined) throw notFound("secret", name);
}

/** Names, never values. */
export async function listSecrets(db: Database): Promise<SecretRecord[]> {
  const rows = await db.selectFrom("secret").select(["scope", "owner_id", "name", "changed"]).orderBy("scope").orderBy("owner_id").orderBy("name_key").execute();
  return rows.map((row) => ({ scope: row.scope, ownerId: row.owner_id, name: row.name, changed: row.changed.toISOString() }));
}

/** The names each owner of a scope has. */
export async function secretNamesOf(db: Database, scope: SecretScope): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  for (const row of await db.selectFrom("secret").select(["owner_id", "name"]).where("scope", "=", scope).orderBy("name_key").execute()) names.set(row.owner_id, [...(names.get(row.owner_id) ?? []), row.name]);
  return names;
}

/** Whether any secret has this name, whoever owns it. */
export async function isSecretName(db: Database, name: string): Promise<boolean> {
  return (await db.selectFrom("secret").select("name").where("name_key", "=", name.toLowerCase()).limit(1).executeTakeFirst()) !== undefined;
}

/** The value of a secret for a device: its own, else its deployment's, else of the first collection that has one. */
export async function readSecret(db: Database, key: Buffer, where: { deviceId: string; deploymentId: string }, name: string): Promise<string | undefined> {
  const best = (await secretsFor(db, where)).find((row) => row.name_key === name.toLowerCase());
  return best === undefined ? undefined : open(key, { scope: best.scope, ownerId: best.owner_id }, best.name, best.sealed);
}

/** The names of the secrets that a device would get, each with whose it is. */
export async function secretNamesFor(db: Database, where: Recipient): Promise<DeviceGiven["secrets"]> {
  const found = new Map<string, DeviceGiven["secrets"][number]>();
  for (const { name_key, name, scope, owner_id } of await secretsFor(db, where)) {
    if (!found.has(name_key)) found.set(name_key, { name, source: scope, ...(scope !== "device" && { of: owner_id }) });
  }
  return [...found.values()];
}

/** Secrets of the device, of its deployment and of its collections, the nearest first. */
async function secretsFor(db: Database, where: Recipient) {
  const collections = (await db.selectFrom("collection_member").select("collection_id").where("device_id", "=", where.deviceId).execute()).map((row) => row.collection_id);
  const deployedTo = where.deploymentId === undefined ? undefined : (await db.selectFrom("deployment").select("collection_id").where("id", "=", where.deploymentId).executeTakeFirst())?.collection_id;
  const owners = [where.deviceId, ...(where.deploymentId === undefined ? [] : [where.deploymentId]), ...collections, ...(deployedTo ? [deployedTo] : [])];
  const rows = await db.selectFrom("secret").selectAll().where("owner_id", "in", owners).orderBy("owner_id").orderBy("name_key").execute();
  const order: SecretScope[] = ["device", "deployment", "collection"];
  return rows.toSorted((a, b) => order.indexOf(a.scope) - order.indexOf(b.scope));
}

/** Gives one owner's secrets to another, sealed anew. */
export async function moveSecrets(db: Database, key: Buffer, scope: SecretScope, from: string, to: string): Promise<void> {
  for (const row of await db.selectFrom("secret").selectAll().where("scope", "=", scope).where("owner_id", "=", from).execute()) {
    const value = open(key, { scope, ownerId: from }, row.name, row.sealed);
    await db.updateTable("secret").set({ owner_id: to, sealed: seal(key, { scope, ownerId: to }, row.name, value) }).where("scope", "=", scope).where("owner_id", "=", from).where("name_key", "=", row.name_key).execute();
  }
}

/** iv (12 bytes), tag (16), ciphertext. */
function seal(key: Buffer, owner: Owner, name: string, value: string): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(associatedData(owner, name));
  const ciphertext = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), ciphertext]);
}

function open(key: Buffer, owner: Owner, name: string, sealed: Buffer): string {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes }).setAAD(associatedData(owner, name)).setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new SiteError("PRESTAGE_SITE_SECRET_UNREADABLE", `Expected the secret ${name} of ${owner.scope} ${owner.ownerId} to open with the site's secrets key (keys/secrets-key); it does not. Restore the key file, or set the secret again.`, { cause });
  }
}

function associatedData(owner: Owner, name: string): Buffer {
  return Buffer.from(JSON.stringify(["prestage-secret-at-rest-v1", owner.scope, owner.ownerId, name.toLowerCase()]));
}

async function requireOwner(db: Database, { scope, ownerId }: Owner): Promise<void> {
  // A device's id that is no uuid is answered as one that is not there.
  if (scope === "device" && !/^[0-9a-f-]{36}$/.test(ownerId)) throw notFound(scope, ownerId);
  const found = await db.selectFrom(scope).select("id").where("id", "=", ownerId).executeTakeFirst();
  if (found === undefined) throw notFound(scope, ownerId);
}
