import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createClaim, generateSigningKey } from "@prestage/trust";
import { registerMedia } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { findClaim, releaseClaim, revokeClaim, useClaim } from "./claims.ts";

const site = await startSite(await dataDirectory());
const { db } = site.context;
const mediaId = await registerMedia(site, "a".repeat(64));
const depot = generateSigningKey();
await db.insertInto("depot").values({ key_id: depot.keyId, public_key: depot.public.publicKey, name: "Depot" }).execute();

async function addClaim(): Promise<string> {
  const claim = createClaim();
  const diskGuid = randomUUID();
  const receipt = await db.insertInto("receipt").values({ media_id: mediaId, disk_guid: diskGuid, confirmed: true, document: "{}", sha256: claim.keyId, depot_key_id: depot.keyId, claim_id: claim.keyId }).returning("id").executeTakeFirstOrThrow();
  await db.insertInto("claim").values({ claim_id: claim.keyId, public_key: claim.public.publicKey, receipt_id: receipt.id, media_id: mediaId, disk_guid: diskGuid, disk_serial: "S1", used_by: null }).execute();
  return claim.keyId;
}
async function addDevice(serialNumber: string): Promise<string> {
  return String((await site.must("/devices", "POST", { name: serialNumber, serialNumber }))["id"]);
}
const [first, second] = [await addDevice("PC-1"), await addDevice("PC-2")];

test("of several devices with one claim at once, one wins, and it wins again", async () => {
  const claim = await addClaim();
  const devices = [first, second, await addDevice("PC-3"), await addDevice("PC-4")];
  const won = await Promise.all(devices.map((device) => useClaim(db, claim, device)));
  assert.equal(won.filter(Boolean).length, 1);
  const winner = devices[won.indexOf(true)] ?? "";
  const { usedAt } = (await findClaim(db, claim)) ?? {};
  assert.equal(await useClaim(db, claim, winner), true);
  assert.deepEqual((await findClaim(db, claim))?.usedAt, usedAt, "the first use stands");
  for (const other of devices.filter((device) => device !== winner)) assert.equal(await useClaim(db, claim, other), false);
});

test("a released claim can be won by another device", async () => {
  const claim = await addClaim();
  await useClaim(db, claim, first);
  await releaseClaim(db, claim);
  assert.equal(await useClaim(db, claim, second), true);
  assert.equal((await findClaim(db, claim))?.usedBy, second);
});

test("nobody wins a claim that is revoked, by itself, its receipt, its depot or its media", async () => {
  const revocations = [
    (claim: string) => revokeClaim(db, claim),
    (claim: string) => db.updateTable("receipt").set({ revoked: new Date() }).where("claim_id", "=", claim).execute(),
    () => db.updateTable("depot").set({ revoked: new Date() }).where("key_id", "=", depot.keyId).execute(),
    () => db.updateTable("media").set({ revoked: new Date() }).where("media_id", "=", mediaId).execute(),
  ];
  for (const revoke of revocations) {
    await db.updateTable("depot").set({ revoked: null }).execute();
    await db.updateTable("media").set({ revoked: null }).execute();
    const claim = await addClaim();
    assert.equal((await findClaim(db, claim))?.revoked, null);
    await revoke(claim);
    assert.ok((await findClaim(db, claim))?.revoked instanceof Date);
    assert.equal(await useClaim(db, claim, first), false);
  }
});

test("a claim the site does not know is found by nobody and given to nobody", async () => {
  const claim = createClaim().keyId;
  assert.equal(await findClaim(db, claim), undefined);
  assert.equal(await useClaim(db, claim, first), false);
  await assert.rejects(releaseClaim(db, claim), { code: "PRESTAGE_SITE_NOT_FOUND" });
  await assert.rejects(revokeClaim(db, claim), { code: "PRESTAGE_SITE_NOT_FOUND" });
});
