import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { contentObjectSchema, managementPointPaths, mediaRecordSchema, renewalAnswerSchema, revisedContentSchema } from "@prestage/contract";
import type { MediaRecord } from "@prestage/contract";
import { openRenewal } from "@prestage/trust";
import { registerClaim, registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const media = async (id: string): Promise<MediaRecord> => mediaRecordSchema.parse(await site.must(`/media/${id}`));
const id = (letter: string) => letter.repeat(64);
const past = "2026-01-02T00:00:00Z";
const nextYear = new Date(Date.now() + 365 * 86_400_000).toISOString();

test("a media is valid, not yet valid, expired or revoked", async () => {
  await registerMedia(site, id("a"));
  await registerMedia(site, id("b"), { validFrom: nextYear });
  await registerMedia(site, id("c"), { validTo: past });
  await registerMedia(site, id("d"), { validTo: nextYear });
  await site.must(`/media/${id("d")}/revoke`, "POST", {});
  const listed = mediaRecordSchema.array().parse((await site.admin("/media")).json);
  assert.deepEqual(listed.map((one) => [one.state, one.validTo]), [["valid", null], ["not-yet-valid", null], ["expired", past], ["revoked", nextYear]]);
  assert.equal((await site.admin(`/media/${id("0")}`)).status, 404);
});

test("an expired media is renewed without touching its disks: the device gets the signed end at contact and is let in", async () => {
  const expired = await registerMedia(site, id("e"), { validTo: past });
  const device = new TestDevice(site, expired, { serialNumber: "RENEWED" });
  assert.equal((await device.ask()).json["state"], "refused");
  const ask = async (mediaId: string) => renewalAnswerSchema.parse((await site.call(`${managementPointPaths.renewal}?mediaId=${mediaId}`)).json).renewal;
  assert.equal(await ask(expired), null);
  const renewed = mediaRecordSchema.parse(await site.must(`/media/${expired}/renew`, "POST", { validTo: nextYear }));
  assert.deepEqual([renewed.state, renewed.validTo, renewed.renewedTo], ["valid", nextYear, nextYear]);
  const envelope = Buffer.from((await ask(expired)) ?? "", "base64");
  const opened = openRenewal(envelope, site.context.keys.keyring.roles.media, { mediaId: expired, notBefore: new Date("2026-01-01T00:00:00Z") });
  assert.equal(opened.validTo, nextYear);
  assert.equal((await device.ask()).json["state"], "waiting");
  const later = new Date(Date.parse(nextYear) + 1000).toISOString();
  await site.must(`/media/${expired}/renew`, "POST", { validTo: later });
  assert.equal((await media(expired)).validTo, later);
  assert.equal(await ask(id("0")), null, "a media the site does not know");
});

test("a renewal into the past is refused, and so is one of a revoked media, whose renewal no device gets any more", async () => {
  const renew = (mediaId: string, validTo: string) => site.admin(`/media/${mediaId}/renew`, { method: "POST", body: { validTo } });
  const wrong = await renew(id("a"), past);
  assert.deepEqual([wrong.status, wrong.json["code"]], [400, "PRESTAGE_SITE_REQUEST_INVALID"]);
  await registerMedia(site, id("f"));
  assert.equal((await renew(id("f"), nextYear)).status, 200);
  await site.must(`/media/${id("f")}/revoke`, "POST", {});
  const revoked = await renew(id("f"), nextYear);
  assert.deepEqual([revoked.status, revoked.json["code"]], [409, "PRESTAGE_SITE_CONFLICT"]);
  assert.equal((await site.call(`${managementPointPaths.renewal}?mediaId=${id("f")}`)).json["renewal"], null);
  assert.equal((await renew(id("0"), nextYear)).status, 404);
});

test("staged, started and never started are counted by media", async () => {
  const counted = await registerMedia(site, "1".repeat(64));
  for (const diskSerial of ["SHELF", "SERIAL", "CLAIM"]) {
    const claim = await registerClaim(site, counted, { diskSerial });
    if (diskSerial === "CLAIM") await site.context.db.updateTable("claim").set({ used_at: new Date() }).where("claim_id", "=", claim.keyId).execute();
  }
  await site.context.db.insertInto("receipt").values({ media_id: counted, disk_guid: randomUUID(), confirmed: false, document: JSON.stringify({ diskSerial: "UNCONFIRMED" }), sha256: id("9"), depot_key_id: null, claim_id: null }).execute();
  await new TestDevice(site, counted, { serialNumber: "S-1", diskSerial: "SERIAL" }).ask();
  const { staged, neverStarted, started } = await media(counted);
  assert.deepEqual({ staged, neverStarted, started }, { staged: 4, neverStarted: 2, started: 1 });
});

test("what on a media has since been revised: a new revision with other bytes, and one with other settings", async () => {
  const add = async (name: string, text: string, installCommand = "true") => {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, "f"), text);
    const job = await site.job("/imports", { kind: "application", name, source: join(folder, name), definition: { kind: "application", installCommand, detection: [{ type: "command", command: "true" }] } });
    assert.equal(job.state, "succeeded", JSON.stringify(job.error));
    const [object] = contentObjectSchema.array().parse((await site.admin("/objects?kind=application")).json).filter((one) => one.name === name);
    assert.ok(object !== undefined);
    return object;
  };
  const [same, changed, settings] = [await add("same", "1"), await add("changed", "1"), await add("settings", "1")];
  const carried = [same, changed, settings].map(({ id: objectId, kind, name, revision, contentId }) => ({ objectId, kind, name, revision, contentId }));
  const boot = { objectId: same.id, name: same.name, revision: 1, contentId: same.contentId };
  const mediaId = await registerMedia(site, "2".repeat(64), { content: carried, bootImage: boot });
  assert.deepEqual((await site.admin(`/media/${mediaId}/revised`)).json, []);
  await add("changed", "2");
  await add("settings", "1", "false");
  const revised = revisedContentSchema.array().parse((await site.admin(`/media/${mediaId}/revised`)).json);
  assert.deepEqual(revised.map((one) => [one.name, one.revision, one.newest.revision, one.changed]), [["changed", 1, 2, true], ["settings", 1, 2, false]]);
});
