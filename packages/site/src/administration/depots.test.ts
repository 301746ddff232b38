import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createClaim, depotFile, encodeReceipt, generateSigningKey, receiptFiles } from "@prestage/trust";
import type { Receipt, SigningKey } from "@prestage/trust";
import { registerMedia } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { findClaim, useClaim } from "../store/claims.ts";

const site = await startSite(await dataDirectory());
const mediaId = await registerMedia(site, "a".repeat(64));

function receipt(depot: SigningKey | undefined, change: Partial<Receipt> = {}): Receipt {
  return {
    format: "prestage-receipt-v1", mediaId, diskSerial: "S1", diskModel: null, diskSizeBytes: 1, diskGuid: randomUUID(), espPartitionGuid: randomUUID(), volumePartitionGuid: randomUUID(), volumeFileSystemUuid: randomUUID(),
    machineSerial: null, files: receiptFiles([{ path: "/a", size: 1, sha256: "0".repeat(64), verified: true }]), toolVersion: "0.1.0", time: "2026-01-01T00:00:00Z",
    depot: depot === undefined ? null : { name: "Depot", key: depot.public }, claim: createClaim().public, ...change,
  };
}
const send = (bytes: Buffer) => site.admin("/receipts", { method: "POST", rawBody: bytes, headers: { "content-type": "application/json" } });
const register = (depot: SigningKey, name = "Depot 3") => site.must("/depots", "POST", depotFile(name, depot));

test("a receipt of a registered depot is confirmed and brings its claim; sent again it is the same", async () => {
  const depot = generateSigningKey();
  await register(depot);
  const made = receipt(depot);
  const first = await send(encodeReceipt(made, depot));
  assert.deepEqual([first.status, first.json["confirmed"]], [200, true], first.body.toString());
  assert.deepEqual((await send(encodeReceipt(made, depot))).json, first.json);
  const claim = await findClaim(site.context.db, made.claim.keyId);
  assert.deepEqual([claim?.receiptId, claim?.diskGuid, claim?.diskSerial, claim?.revoked], [first.json["id"], made.diskGuid, "S1", null]);
});

test("a receipt of an unregistered depot, or of none, is kept and gives no right", async () => {
  for (const depot of [generateSigningKey(), undefined]) {
    const made = receipt(depot);
    const answer = await send(encodeReceipt(made, depot));
    assert.deepEqual([answer.status, answer.json["confirmed"]], [200, false]);
    assert.match(String(answer.json["reason"]), depot === undefined ? /not signed/ : /not registered/);
    assert.equal(await findClaim(site.context.db, made.claim.keyId), undefined);
  }
});

test("registering a depot later confirms the receipts that were kept", async () => {
  const [depot, other] = [generateSigningKey(), generateSigningKey()];
  const made = [receipt(depot), receipt(depot), receipt(other)];
  for (const [i, one] of made.entries()) await send(encodeReceipt(one, i === 2 ? other : depot));
  assert.equal((await register(depot))["confirmed"], 2);
  const claims = await Promise.all(made.map((one) => findClaim(site.context.db, one.claim.keyId)));
  assert.deepEqual(claims.map((claim) => claim !== undefined), [true, true, false]);
});

test("receipts that come in while their depot is registered are confirmed, whichever comes first", async () => {
  const depot = generateSigningKey();
  const made = Array.from({ length: 8 }, () => receipt(depot));
  await Promise.all([...made.slice(0, 4).map((one) => send(encodeReceipt(one, depot))), register(depot), ...made.slice(4).map((one) => send(encodeReceipt(one, depot)))]);
  for (const one of made) assert.ok(await findClaim(site.context.db, one.claim.keyId));
});

test("an altered receipt is refused, whatever was altered", async () => {
  const depot = generateSigningKey();
  await register(depot);
  const envelope = JSON.parse(encodeReceipt(receipt(depot), depot).toString()) as { payload: string; payloadType: string; signatures: { keyid: string; sig: string }[] };
  const altered = (change: Partial<Receipt>) => ({ ...envelope, payload: Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Receipt), ...change })).toString("base64") });
  const mallory = generateSigningKey();
  const cases: [unknown, string][] = [
    [altered({ diskSerial: "OTHER" }), "PRESTAGE_TRUST_SIGNATURE_INVALID"],
    [altered({ claim: createClaim().public }), "PRESTAGE_TRUST_SIGNATURE_INVALID"],
    [{ ...envelope, signatures: [{ keyid: depot.keyId, sig: Buffer.alloc(64).toString("base64") }] }, "PRESTAGE_TRUST_SIGNATURE_INVALID"],
    [altered({ depot: { name: "Depot", key: { keyId: depot.keyId, publicKey: mallory.public.publicKey } } }), "PRESTAGE_TRUST_KEY_MALFORMED"],
    [{ ...envelope, payloadType: "application/vnd.prestage.policy.v1+json" }, "PRESTAGE_TRUST_DOCUMENT_KIND"],
    [{ ...envelope, signatures: [] }, "PRESTAGE_SITE_REQUEST_INVALID"],
    [JSON.parse(Buffer.from(envelope.payload, "base64").toString()), "PRESTAGE_SITE_REQUEST_INVALID"], // the envelope taken off
  ];
  for (const [body, code] of cases) {
    const answer = await site.admin("/receipts", { method: "POST", body });
    assert.deepEqual([answer.status, answer.json["code"]], [400, code], JSON.stringify(body).slice(0, 200));
  }
});

test("a revoked depot: its receipts are refused, its claims have ended, and it is not registered again", async () => {
  const depot = generateSigningKey();
  await register(depot);
  const made = receipt(depot);
  await send(encodeReceipt(made, depot));
  const device = String((await site.must("/devices", "POST", { name: "PC-1", serialNumber: "PC-1" }))["id"]);
  assert.notEqual((await site.must(`/depots/${depot.keyId}/revoke`, "POST", {}))["revoked"], null);
  const answer = await send(encodeReceipt(receipt(depot), depot));
  assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_DEPOT_REVOKED"]);
  assert.ok((await findClaim(site.context.db, made.claim.keyId))?.revoked instanceof Date);
  assert.equal(await useClaim(site.context.db, made.claim.keyId, device), false);
  const again = await site.admin("/depots", { method: "POST", body: depotFile("Again", depot) });
  assert.deepEqual([again.status, again.json["code"]], [403, "PRESTAGE_SITE_DEPOT_REVOKED"]);
});

test("a claim belongs to one receipt: a second one that brings it is refused", async () => {
  const depot = generateSigningKey();
  await register(depot);
  const first = receipt(depot);
  await send(encodeReceipt(first, depot));
  const answer = await send(encodeReceipt(receipt(depot, { claim: first.claim }), depot));
  assert.deepEqual([answer.status, answer.json["code"]], [409, "PRESTAGE_SITE_CONFLICT"]);
});

test("staged and never started is a query: a used claim or a computer with the disk's serial number counts as started", async () => {
  const depot = generateSigningKey();
  await register(depot);
  const media = await registerMedia(site, "b".repeat(64));
  const made = ["ON-SHELF", "BY-CLAIM", "BY-SERIAL"].map((diskSerial) => receipt(depot, { mediaId: media, diskSerial }));
  for (const one of made) await send(encodeReceipt(one, depot));
  const device = String((await site.must("/devices", "POST", { name: "PC-2", serialNumber: "PC-2" }))["id"]);
  await useClaim(site.context.db, made[1]?.claim.keyId ?? "", device);
  await site.context.db.updateTable("device").set({ media_id: media, attributes: JSON.stringify({ macAddresses: [], diskSerial: "BY-SERIAL" }) }).where("id", "=", device).execute();
  const list = async (query: string) => ((await site.admin(`/receipts?${query}`)).json as { diskSerial: string; started: string | null }[]).map((one) => one.diskSerial);
  assert.deepEqual(await list(`neverStarted=true&mediaId=${media}`), ["ON-SHELF"]);
  assert.deepEqual(await list(`mediaId=${media}`), ["ON-SHELF", "BY-CLAIM", "BY-SERIAL"]);
  const [found] = ((await site.admin("/depots")).json as { keyId: string; receipts: number; started: number }[]).filter((one) => one.keyId === depot.keyId);
  assert.deepEqual([found?.receipts, found?.started], [3, 1]);
});

test("a receipt of a media the site does not have is refused", async () => {
  const answer = await send(encodeReceipt(receipt(undefined, { mediaId: "f".repeat(64) }), undefined));
  assert.deepEqual([answer.status, answer.json["code"]], [404, "PRESTAGE_SITE_NOT_FOUND"]);
});
