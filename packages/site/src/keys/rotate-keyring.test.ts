import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { keyringAnswerSchema, keyringsAnswerSchema } from "@prestage/contract";
import { exportPrivateKey, generateSigningKey, openKeyringChain, openSignedTime, openTrustedKeyring } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { rotateKeyring } from "./rotate-keyring.ts";
import { keyFile, loadSiteKeys } from "./site-keys.ts";

const site = await startSite(await dataDirectory());
const first = openTrustedKeyring(site.context.keys.keyringEnvelope);
const media = await registerMedia(site, "a".repeat(64));
const served = async (version: number) => keyringsAnswerSchema.parse((await site.call(`/mp/v1/keyrings?after=${version}`)).json).keyrings.map((text) => Buffer.from(text, "base64"));
const rotate = async (roles: string[], forgetMediaKeys = false) => keyringAnswerSchema.parse(await site.must("/keyring/rotate", "POST", { roles, forgetMediaKeys }));

test("a site that has changed nothing serves no later keyring", async () => {
  assert.deepEqual(await served(1), []);
  for (const query of ["", "?after=0", "?after=x", "?after=-1"]) assert.equal((await site.call(`/mp/v1/keyrings${query}`)).status, 400, query);
});

test("after a rotation the new keyring is proven by the old root, and the site signs with the new keys", async () => {
  const device = new TestDevice(site, media);
  await device.enrol();
  const shown = await rotate(["media", "policy", "time", "url"]);
  assert.equal(shown.version, 2);
  const [envelope] = await served(1);
  const [, second] = openKeyringChain(first, [envelope ?? Buffer.alloc(0)]);
  assert.ok(second !== undefined);
  for (const role of ["policy", "time", "url"] as const) assert.ok(second.roles[role].length === 1 && second.roles[role][0]?.keyId !== first.roles[role][0]?.keyId, role);
  assert.deepEqual(second.roles.root, first.roles.root);
  assert.deepEqual(second.roles.media.map((key) => key.keyId).slice(1), first.roles.media.map((key) => key.keyId), "media laid on disks before are still recognised");
  const nonce = "0".repeat(32);
  const time = (await site.call(`/mp/v1/time?nonce=${nonce}`)).body;
  openSignedTime(time, nonce, new Date(0), second.roles.time);
  assert.throws(() => openSignedTime(time, nonce, new Date(0), first.roles.time), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.equal((await device.policy()).keyringVersion, 2, "an enrolled device is not disturbed");
});

test("the root key changes only with the old one's signature; a device that slept through several changes follows each", async () => {
  await rotate(["root"]);
  const last = await rotate(["root", "media"], true);
  const chain = openKeyringChain(first, await served(1));
  assert.deepEqual(chain.map((keyring) => keyring.version), [1, 2, 3, 4]);
  assert.equal(chain[3]?.roles.root[0]?.keyId, last.keys["root"]?.[0]);
  assert.notEqual(chain[3]?.roles.root[0]?.keyId, chain[1]?.roles.root[0]?.keyId);
  assert.equal(chain[3]?.roles.media.length, 1, "the earlier media keys are forgotten");
  const [, , , fourth] = site.context.keys.keyringChain;
  assert.throws(() => openKeyringChain(first, [fourth ?? Buffer.alloc(0)]), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" }, "version 4 right after version 1");
  assert.deepEqual((await served(3)).length, 1);
  assert.deepEqual(await served(4), []);
});

test("two rotations at once are two versions", async () => {
  const { version } = site.context.keys.keyring;
  await Promise.all([rotate(["time"]), rotate(["url"])]);
  assert.equal(site.context.keys.keyring.version, version + 2);
  openKeyringChain(first, await served(1));
});

const folder = await mkdtemp(join(tmpdir(), "prestage-keys-"));
after(() => rm(folder, { recursive: true, force: true }));

test("the keys are read again after a start; a rotation that was cut off leaves the old keyring in force", async () => {
  const now = new Date();
  const keys = await loadSiteKeys(folder, "ABC", now);
  const before = { ...keys };
  await rotateKeyring(folder, keys, { roles: ["policy"], forgetMediaKeys: false }, now);
  const again = await loadSiteKeys(folder, "ABC", now);
  assert.deepEqual([again.keyring.version, again.signing.policy.keyId, again.signing.media.keyId], [2, keys.signing.policy.keyId, before.signing.media.keyId]);
  assert.equal((await stat(join(folder, "keys", keyFile("policy", 2)))).mode & 0o777, 0o600);
  // Cut off after the key was written, before the keyring was.
  await writeFile(join(folder, "keys", keyFile("time", 3)), exportPrivateKey(generateSigningKey()));
  const after_ = await loadSiteKeys(folder, "ABC", now);
  assert.deepEqual([after_.keyring.version, after_.signing.time.keyId], [2, before.signing.time.keyId]);
  await rotateKeyring(folder, after_, { roles: ["time"], forgetMediaKeys: false }, now);
  openKeyringChain(openTrustedKeyring(before.keyringEnvelope), after_.keyringChain.slice(1));
});

test("the root key may lie elsewhere: the site starts without it, and asks for it when a keyring is to be signed", async () => {
  const now = new Date();
  await rename(join(folder, "keys/root.pem"), join(folder, "root-elsewhere.pem"));
  const keys = await loadSiteKeys(folder, "ABC", now);
  await assert.rejects(rotateKeyring(folder, keys, { roles: ["url"], forgetMediaKeys: false }, now), { code: "PRESTAGE_SITE_KEY_MISSING" });
  await rename(join(folder, "root-elsewhere.pem"), join(folder, "keys/root.pem"));
  await rotateKeyring(folder, keys, { roles: ["url"], forgetMediaKeys: false }, now);
});

test("a site whose key file is gone does not make a new key in silence", async () => {
  const path = join(folder, "keys", "media.pem");
  const kept = await readFile(path);
  await rm(path);
  await assert.rejects(loadSiteKeys(folder, "ABC", new Date()), { code: "PRESTAGE_SITE_KEY_MISSING" });
  await writeFile(path, kept, { mode: 0o600 });
  const { keyring }: { keyring: Keyring } = await loadSiteKeys(folder, "ABC", new Date());
  assert.ok(keyring.version > 1);
});
