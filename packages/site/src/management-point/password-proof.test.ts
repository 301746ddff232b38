import assert from "node:assert/strict";
import { test } from "node:test";
import { managementPointPaths } from "@prestage/contract";
import type { Device } from "@prestage/contract";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

let clock = 0;
/** Where set, time stands still: a busy machine must not let a wait pass. */
let stopped: number | undefined;
const site = await startSite(await dataDirectory(), { now: () => new Date((stopped ?? Date.now()) + clock) });
const password = "correct horse é";
const media = await registerMedia(site, "a".repeat(64), { passwordRequired: true });
const onlyKnown = await registerMedia(site, "b".repeat(64), { passwordRequired: true, unknownComputers: false });
const without = await registerMedia(site, "c".repeat(64));
for (const id of [media, onlyKnown]) await site.must(`/media/${id}/password`, "PUT", { password });
let addresses = 1;
/** A computer at an address of its own. */
function computer(mediaId = media, attributes: ConstructorParameters<typeof TestDevice>[2] = {}): TestDevice {
  const one = new TestDevice(site, mediaId, attributes);
  one.localAddress = `127.0.0.${++addresses}`;
  return one;
}
const sealed = async (one: TestDevice) => ({ policy: await one.post(managementPointPaths.policy, { mediaId: one.first.mediaId }), urls: await one.post(managementPointPaths.contentUrls, { contentIds: ["0".repeat(64)] }) });

test("the media password lets a known and an unknown computer in, as the media allows", async () => {
  await site.must("/devices", "POST", { name: "KNOWN-1", serialNumber: "SER-1" });
  assert.deepEqual((await computer().begin()).proofs, ["password", "approval"]);
  const unknown = (await computer().askWithPassword(password)).json;
  assert.equal(unknown["state"], "approved");
  const shown = (await site.must(`/devices/${String(unknown["deviceId"])}`)) as unknown as Device;
  assert.deepEqual([shown.state, shown.proof, shown.known], ["enrolled", "password", false]);
  assert.deepEqual((await computer(onlyKnown, { serialNumber: "SER-1" }).askWithPassword(password)).json["deviceName"], "KNOWN-1");
  assert.equal((await computer(onlyKnown, { serialNumber: "SER-1" }).askWithPassword(password)).json["state"], "refused", "a record is used once");
});

test("a password typed on another keyboard, composed in another way, is the same one", async () => {
  assert.equal((await computer().askWithPassword(password.normalize("NFD"))).json["state"], "approved");
});

test("a known serial number and UUID without claim, password or approval: no policy, no variable, no URL, no secret", async () => {
  const smbiosUuid = "4c4c4544-0044-3310-8056-b7c04f564433";
  const { id } = await site.must("/devices", "POST", { name: "KNOWN-2", serialNumber: "SER-2", smbiosUuid, variables: [{ name: "OSDComputerName", value: "only-for-known" }] });
  for (const mediaId of [media, onlyKnown, without]) {
    const impostor = computer(mediaId, { serialNumber: "SER-2", smbiosUuid });
    const answers = [(await impostor.ask()), ...Object.values(await sealed(impostor))];
    assert.equal(answers[0]?.json["state"], "waiting");
    for (const answer of answers.slice(1)) assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_DEVICE_UNKNOWN"]);
    for (const answer of answers) assert.ok(!answer.body.includes("only-for-known"));
  }
  assert.equal(((await site.must(`/devices/${String(id)}`)) as unknown as Device).state, "expected", "the record is still nobody's");
});

test("a media without a password takes none; one whose password was never set lets nobody in by it", async () => {
  assert.deepEqual((await computer(without).begin()).proofs, ["approval"]);
  assert.equal((await computer(without).askWithPassword(password)).json["state"], "wrong-password");
  assert.equal((await site.admin(`/media/${without}/password`, { method: "PUT", body: { password } })).status, 409);
  const unset = await registerMedia(site, "d".repeat(64), { passwordRequired: true });
  assert.deepEqual((await computer(unset).begin()).proofs, ["approval"]);
  assert.equal((await computer(unset).askWithPassword("")).status, 400);
  assert.equal((await computer(unset).askWithPassword("undefined")).json["state"], "wrong-password");
});

test("approval stays possible where a password is asked for", async () => {
  const one = computer();
  assert.equal((await one.askWithPassword("wrong one")).json["state"], "wrong-password");
  await one.enrol("BY-HAND");
  assert.equal((await one.post(managementPointPaths.policy, { mediaId: media })).status, 200);
});

test("a password wrong five times from one address: that address and that key wait, another computer of the same media goes on", async () => {
  const guesser = computer();
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    const { json } = await guesser.askWithPassword(`wrong ${i}`);
    assert.equal(json["state"], "wrong-password", JSON.stringify(json));
    waits.push(Number(json["retryAfterSeconds"]));
    assert.equal((await guesser.askWithPassword(password)).json["state"], "slow-down", "not even the right one is looked at before its time");
    clock += 1000 * Number(json["retryAfterSeconds"]);
  }
  assert.ok(waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] ?? 0) * 1.9), String(waits));
  assert.equal((await guesser.askWithPassword("wrong again")).json["state"], "wrong-password");
  assert.equal((await computer().askWithPassword(password)).json["state"], "approved", "another address is not slowed");
  const neighbour = computer();
  neighbour.localAddress = guesser.localAddress;
  const neighbourAnswer = (await neighbour.askWithPassword(password)).json;
  assert.equal(neighbourAnswer["state"], "slow-down", "behind the guesser's own address it waits a little");
  clock += 1000 * Number(neighbourAnswer["retryAfterSeconds"]);
  assert.equal((await neighbour.askWithPassword(password)).json["state"], "approved");
});

test("a hundred guesses at once are looked at once", async () => {
  const guesser = computer();
  stopped = Date.now();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => guesser.askWithPassword(`guess ${i}`))).finally(() => (stopped = undefined));
  assert.equal(answers.filter((answer) => answer.json["state"] === "wrong-password").length, 1);
  assert.equal(answers.filter((answer) => answer.json["state"] === "slow-down").length, 99);
});

test("a password is set, changed, and never given back or kept as it is", async () => {
  const mine = await registerMedia(site, "e".repeat(64), { passwordRequired: true });
  for (const bad of ["short", "x".repeat(129), "with\nline feed"]) assert.equal((await site.admin(`/media/${mine}/password`, { method: "PUT", body: { password: bad } })).status, 400);
  await site.must(`/media/${mine}/password`, "PUT", { password: "the first one" });
  await site.must(`/media/${mine}/password`, "PUT", { password: "the second one" });
  assert.equal((await computer(mine).askWithPassword("the first one")).json["state"], "wrong-password");
  assert.equal((await computer(mine).askWithPassword("the second one")).json["state"], "approved");
  const { verifier } = await site.context.db.selectFrom("media_password").select("verifier").where("media_id", "=", mine).executeTakeFirstOrThrow();
  assert.match(verifier, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  for (const path of ["/media", "/audit", "/devices"]) assert.ok(!/the (first|second) one/.test((await site.admin(path)).body.toString()), path);
  assert.ok(((await site.admin("/audit")).json as { action: string; subject: string }[]).some((line) => line.action === "media-password-set" && line.subject === mine));
});
