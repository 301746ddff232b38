import assert from "node:assert/strict";
import { test } from "node:test";
import { managementPointPaths } from "@prestage/contract";
import type { Conflict, Device } from "@prestage/contract";
import { createClaim, signClaim, signEnrolment } from "@prestage/trust";
import { registerClaim, registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { maximumConflictsPerClaim } from "../store/conflicts.ts";
import { maximumWaiting } from "../store/devices.ts";

const site = await startSite(await dataDirectory());
const media = await registerMedia(site, "a".repeat(64));
const onlyKnown = await registerMedia(site, "b".repeat(64), { unknownComputers: false });
const device = async (id: string) => (await site.must(`/devices/${id}`)) as unknown as Device;
const conflicts = async () => (await site.admin("/conflicts")).json as unknown as Conflict[];
const audited = async (subject: string) => ((await site.admin(`/audit?subject=${subject}`)).json as { action: string }[]).map((line) => line.action);
const policyOf = (one: TestDevice) => one.post(managementPointPaths.policy, { mediaId: one.first.mediaId });

test("the claim on its disk lets a computer in, once and without anyone's help, and the record the receipt names gives its name", async () => {
  await site.must("/devices", "POST", { name: "FROM-RECEIPT", serialNumber: "STAGED-1", variables: [{ name: "A", value: "b" }] });
  const claim = await registerClaim(site, onlyKnown, { machineSerial: "STAGED-1" });
  const computer = new TestDevice(site, onlyKnown, { serialNumber: "SAYS-ANOTHER" }, claim);
  assert.deepEqual((await computer.begin()).proofs, ["claim", "approval"]);
  const { json } = await computer.askWithClaim();
  assert.deepEqual([json["state"], json["deviceName"]], ["approved", "FROM-RECEIPT"]);
  const shown = await device(String(json["deviceId"]));
  assert.deepEqual([shown.state, shown.proof, shown.known, shown.claimId, shown.conflictId], ["enrolled", "claim", true, claim.keyId, null]);
  assert.deepEqual((await computer.policy()).offers, []);
  assert.ok((await audited(claim.keyId)).includes("enrolment-by-claim"));
});

test("an enrolment replayed repeats the decision and makes nothing new", async () => {
  const claim = await registerClaim(site, media);
  const computer = new TestDevice(site, media, {}, claim);
  const challenge = await computer.challenge();
  const body = signEnrolment(computer.first, challenge, computer.key, { kind: "claim", signature: signClaim(claim, challenge, computer.key.keyId) });
  const answers = await Promise.all(Array.from({ length: 5 }, () => site.call(managementPointPaths.enrolment, { method: "POST", body })));
  assert.equal(new Set(answers.map((answer) => answer.json["deviceId"])).size, 1, answers.map((answer) => answer.body.toString()).join());
  assert.equal((await conflicts()).filter((one) => one.claimId === claim.keyId).length, 0);
  // Its signed parts serve no other key.
  const thief = new TestDevice(site, media, {}, claim);
  const stolen = { ...signEnrolment(thief.first, await thief.challenge(), thief.key), proof: body.proof };
  assert.equal((await site.call(managementPointPaths.enrolment, { method: "POST", body: stolen })).json["code"], "PRESTAGE_TRUST_CLAIM_PROOF");
});

test("a claim proven with another key, or shown for another media, gives nothing", async () => {
  const claim = await registerClaim(site, media);
  const wrongKey = new TestDevice(site, media, {}, { ...createClaim(), keyId: claim.keyId });
  assert.equal((await wrongKey.askWithClaim()).json["code"], "PRESTAGE_TRUST_CLAIM_PROOF");
  const otherMedia = new TestDevice(site, onlyKnown, {}, claim);
  assert.deepEqual((await otherMedia.begin()).proofs, ["approval"]);
  assert.equal((await otherMedia.askWithClaim()).json["state"], "refused", "as if none had been shown: unknown computers are not allowed here");
  assert.equal((await new TestDevice(site, media, {}, claim).askWithClaim()).json["state"], "approved", "it is still good for its own disk");
});

test("the claim of a depot nobody registered is no proof: the computer waits for approval", async () => {
  const unknown = new TestDevice(site, media, {}, createClaim());
  assert.deepEqual((await unknown.begin()).proofs, ["approval"]);
  assert.equal((await unknown.askWithClaim()).json["state"], "waiting");
});

test("two disks with one claim: the first is in, the second waits for approval, and both appear as a conflict", async () => {
  const claim = await registerClaim(site, media);
  const [first, second] = [new TestDevice(site, media, { serialNumber: "ONE" }, claim), new TestDevice(site, media, { serialNumber: "TWO" }, claim)];
  const answers = await Promise.all([first.askWithClaim(), second.askWithClaim()]);
  assert.deepEqual(answers.map((answer) => String(answer.json["state"])).toSorted(), ["approved", "waiting"]);
  const [winner, loser] = answers[0]?.json["state"] === "approved" ? [first, second] : [second, first];
  const winnerId = String(answers.find((answer) => answer.json["state"] === "approved")?.json["deviceId"]);
  assert.deepEqual([answers.find((answer) => answer.json["state"] === "waiting")?.json["conflict"]], [true]);
  const found = (await conflicts()).find((one) => one.claimId === claim.keyId);
  assert.ok(found !== undefined);
  assert.deepEqual([found.first.id, found.second.attributes["serialNumber"], found.resolved], [winnerId, loser.first.attributes.serialNumber, null]);
  for (const id of [found.first.id, found.second.id]) assert.equal((await device(id)).conflictId, found.id);
  assert.deepEqual((await loser.begin()).proofs, ["approval"]);
  assert.equal((await loser.askWithClaim()).json["state"], "waiting", "it waits however often it asks");
  assert.equal((await policyOf(loser)).json["code"], "PRESTAGE_SITE_DEVICE_UNKNOWN");
  assert.equal((await policyOf(winner)).status, 200, "the first is not disturbed");
  assert.ok((await audited(claim.keyId)).includes("claim-conflict"));
  assert.equal((await conflicts()).filter((one) => one.claimId === claim.keyId).length, 1);
});

/** Two computers in a conflict. */
async function conflict() {
  const claim = await registerClaim(site, media);
  const [first, second] = [new TestDevice(site, media, {}, claim), new TestDevice(site, media, {}, claim)];
  await first.askWithClaim();
  await second.askWithClaim();
  const found = (await conflicts()).find((one) => one.claimId === claim.keyId);
  assert.ok(found !== undefined);
  return { claim, first, second, id: found.id, resolve: (resolution: string) => site.must(`/conflicts/${found.id}`, "POST", { resolution }) };
}

test("a conflict resolved for the first: the second stays a computer like any other that waits", async () => {
  const { first, second, resolve, id } = await conflict();
  const resolved = (await resolve("keep-first")) as unknown as Conflict;
  assert.deepEqual([resolved.resolution, resolved.first.state, resolved.second.state], ["keep-first", "enrolled", "waiting"]);
  assert.equal((await policyOf(first)).status, 200);
  assert.equal((await second.ask()).json["state"], "waiting");
  assert.equal((await site.admin(`/conflicts/${id}`, { method: "POST", body: { resolution: "refuse-second" } })).status, 409, "once");
});

test("a conflict resolved for the second: the first is revoked and refused from its next request on", async () => {
  const { claim, first, second, resolve } = await conflict();
  await resolve("accept-second");
  const refused = await policyOf(first);
  assert.deepEqual([refused.status, refused.json["code"]], [403, "PRESTAGE_SITE_REVOKED"]);
  assert.match(String((await first.askWithClaim()).json["reason"]), /PRESTAGE_SITE_REVOKED/);
  assert.equal((await second.ask()).json["state"], "approved");
  assert.equal((await policyOf(second)).status, 200);
  const [shown] = ((await site.admin("/claims")).json as { claimId: string; usedBy: string }[]).filter((one) => one.claimId === claim.keyId);
  assert.equal(shown?.usedBy, String((await second.ask()).json["deviceId"]));
});

test("a conflict resolved by refusing the second: it is told so", async () => {
  const { first, second, resolve } = await conflict();
  await resolve("refuse-second");
  assert.equal((await second.askWithClaim()).json["state"], "refused");
  assert.equal((await policyOf(first)).status, 200);
});

test("who approves the second by its code has decided the conflict: both stay", async () => {
  const { first, second, id } = await conflict();
  const code = String((await second.ask()).json["code"]);
  await site.must(`/approvals/${code}`, "POST", { decision: "approve" });
  assert.equal((await conflicts()).find((one) => one.id === id)?.resolution, "accept-both");
  for (const one of [first, second]) assert.equal((await policyOf(one)).status, 200);
});

test("a disk copied without end costs the site a bounded list", async () => {
  const claim = await registerClaim(site, media);
  await new TestDevice(site, media, {}, claim).askWithClaim();
  for (let i = 0; i < maximumConflictsPerClaim; i++) assert.equal((await new TestDevice(site, media, {}, claim).askWithClaim()).json["state"], "waiting");
  assert.equal((await new TestDevice(site, media, {}, claim).askWithClaim()).json["state"], "refused");
  assert.equal((await conflicts()).filter((one) => one.claimId === claim.keyId).length, maximumConflictsPerClaim);
});

test("revoking the device, its claim, its media or its depot ends the enrolment at the next request", async () => {
  const revokedMedia = await registerMedia(site, "c".repeat(64));
  const enrolled = async (mediaId: string) => {
    const claim = await registerClaim(site, mediaId);
    const computer = new TestDevice(site, mediaId, {}, claim);
    return { claim, computer, id: String((await computer.askWithClaim()).json["deviceId"]) };
  };
  const now = new Date();
  const revocations: [string, string, (one: Awaited<ReturnType<typeof enrolled>>) => Promise<unknown>][] = [
    ["device", media, ({ id }) => site.must(`/devices/${id}/revoke`, "POST")],
    ["claim", media, ({ claim }) => site.must(`/claims/${claim.keyId}/revoke`, "POST")],
    ["depot", media, ({ claim }) => site.context.db.updateTable("depot").set({ revoked: now }).where("key_id", "=", claim.depotKeyId).execute()],
    ["media", revokedMedia, () => site.context.db.updateTable("media").set({ revoked: now }).where("media_id", "=", revokedMedia).execute()],
  ];
  for (const [what, mediaId, revoke] of revocations) {
    const one = await enrolled(mediaId);
    assert.equal((await policyOf(one.computer)).status, 200, what);
    await revoke(one);
    for (const [path, body] of [[managementPointPaths.policy, { mediaId }], [managementPointPaths.contentUrls, { contentIds: ["0".repeat(64)] }], [managementPointPaths.secrets, { deploymentId: "ABC00001", names: ["A"] }], [managementPointPaths.status, { messages: [{ number: 1, time: "2026-01-01T00:00:00Z", kind: "error", environment: "boot" }] }]] as const) {
      const answer = await one.computer.post(path, body);
      assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_REVOKED"], `${what} ${path}`);
      assert.match(String(answer.json["message"]), new RegExp(`the ${what} `));
    }
    const again = (await one.computer.askWithClaim()).json;
    assert.deepEqual([again["state"], /PRESTAGE_SITE_REVOKED/.test(String(again["reason"]))], ["refused", true], `${what}: ${JSON.stringify(again)}`);
    const fresh = new TestDevice(site, mediaId, {}, one.claim);
    assert.notEqual((await fresh.askWithClaim()).json["state"], "approved", `${what}: a new key on the same disk`);
  }
});

test("where the list of waiting computers is full a claim still lets its computer in; who proves nothing is asked to come again", async () => {
  const crowd = Array.from({ length: maximumWaiting }, (_, i) => ({ name: `CROWD-${i}`, state: "waiting" as const, known: false, key_id: `crowd ${i}`, public_key: "", approval_code: "AAAAAA", media_id: media, attributes: '{"macAddresses":[]}', replaces: null, variables: "[]", last_seen: new Date() }));
  await site.context.db.insertInto("device").values(crowd).execute();
  try {
    for (let i = 0; i < 2; i++) {
      const turnedAway = await new TestDevice(site, media).ask();
      assert.deepEqual([turnedAway.status, turnedAway.json["code"]], [503, "PRESTAGE_SITE_BUSY"]);
    }
    assert.equal((await new TestDevice(site, media, {}, await registerClaim(site, media)).askWithClaim()).json["state"], "approved");
  } finally {
    await site.context.db.deleteFrom("device").where("name", "like", "CROWD-%").execute();
  }
});
