import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { managementPointPaths } from "@prestage/contract";
import { approvalCode, generateSigningKey, openSignedTime, signEnrolment } from "@prestage/trust";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

let clock = 0;
const site = await startSite(await dataDirectory(), { now: () => new Date(Date.now() + clock) });
const media = await registerMedia(site, "a".repeat(64));
const onlyKnown = await registerMedia(site, "b".repeat(64), { unknownComputers: false });
const expired = await registerMedia(site, "c".repeat(64), { validTo: "2026-01-02T00:00:00Z" });
const future = await registerMedia(site, "d".repeat(64), { validFrom: "2199-01-02T00:00:00Z" });
const devices = async () => (await site.admin("/devices")).json as { id: string; name: string; state: string; known: boolean; approvalCode: string | null }[];
const status = (number: number, change: object = {}) => ({ number, time: "2026-01-01T00:00:00Z", kind: "step-started", environment: "boot", ...change });

test("the site's time is signed in answer to a nonce", async () => {
  const nonce = randomBytes(16).toString("hex");
  const answer = await site.call(`${managementPointPaths.time}?nonce=${nonce}`);
  const now = openSignedTime(answer.body, nonce, new Date(0), site.context.keys.keyring.roles.time);
  assert.ok(Math.abs(now.getTime() - Date.now()) < 5000);
  for (const query of ["", "?nonce=", "?nonce=xyz", `?nonce=${nonce}&nonce=${nonce}`]) assert.equal((await site.call(`${managementPointPaths.time}${query}`)).status, 400);
});

test("an unknown computer waits with a code that is the same on its screen and at the site, and is in once approved", async () => {
  const device = new TestDevice(site, media, { serialNumber: "5CG123" });
  const challenge = await device.challenge();
  const body = signEnrolment(device.first, challenge, device.key);
  const waiting = await site.call(managementPointPaths.enrolment, { method: "POST", body });
  const code = approvalCode(device.key.public, challenge);
  assert.deepEqual([waiting.json["state"], waiting.json["code"]], ["waiting", code]);
  const [listed] = (await site.admin("/approvals")).json as { approvalCode: string; name: string; known: boolean }[];
  assert.deepEqual([listed?.approvalCode, listed?.name, listed?.known], [code, "PC-5CG123", false]);
  // A challenge sent again only repeats the same enrolment.
  assert.equal((await site.call(managementPointPaths.enrolment, { method: "POST", body })).json["code"], code);
  assert.equal((await site.admin("/approvals")).json.length, 1);
  await site.must(`/approvals/${code}`, "POST", { decision: "approve", name: "FRONT-DESK" });
  const approved = await site.call(managementPointPaths.enrolment, { method: "POST", body });
  assert.deepEqual([approved.json["state"], approved.json["deviceName"]], ["approved", "FRONT-DESK"]);
  assert.equal((await site.admin(`/approvals/${code}`, { method: "POST", body: { decision: "approve" } })).status, 404, "a code is good once");
});

test("a new challenge shows a new code, and only the newest is good", async () => {
  const device = new TestDevice(site, media);
  const first = String((await device.ask()).json["code"]);
  clock += 60_000;
  const second = String((await device.ask()).json["code"]);
  assert.notEqual(first, second);
  assert.equal((await site.admin(`/approvals/${first}`, { method: "POST", body: { decision: "approve" } })).status, 404);
  await site.must(`/approvals/${second}`, "POST", { decision: "approve" });
  assert.equal((await device.ask()).json["state"], "approved");
});

test("a refused computer stays refused", async () => {
  const device = new TestDevice(site, media);
  await site.must(`/approvals/${String((await device.ask()).json["code"])}`, "POST", { decision: "refuse" });
  assert.equal((await device.ask()).json["state"], "refused");
  assert.equal((await device.post(managementPointPaths.status, { messages: [status(1)] })).json["code"], "PRESTAGE_SITE_DEVICE_UNKNOWN");
});

test("media the site does not know, that has expired or is not valid yet, or that forbids unknown computers: refused with the reason", async () => {
  const before = (await devices()).length;
  for (const [mediaId, reason] of [["e".repeat(64), /no record of this media/], [expired, /was valid to 2026-01-02/], [future, /is valid from 2199/], [onlyKnown, /not known to the site.*does not allow unknown/]] as const) {
    const answer = await new TestDevice(site, mediaId, { serialNumber: "NOBODY" }).ask();
    assert.equal(answer.json["state"], "refused");
    assert.match(String(answer.json["reason"]), reason);
  }
  assert.equal((await devices()).length, before, "nothing is remembered of them");
});

test("a record made beforehand is found by serial number, MAC address or SMBIOS UUID, gives name and variables, and is used once", async () => {
  for (const [record, attributes] of [
    [{ serialNumber: "SER-1" }, { serialNumber: "SER-1" }], [{ macAddress: "02:00:00:00:00:01" }, { macAddresses: ["02:00:00:00:00:09", "02:00:00:00:00:01"] }],
    [{ smbiosUuid: "4c4c4544-0044-3310-8056-B7C04F564433" }, { smbiosUuid: "4C4C4544-0044-3310-8056-b7c04f564433" }],
  ] as const) {
    const name = `KNOWN-${String(Object.values(record)[0]).slice(0, 2).replace(":", "")}`;
    const made = await site.must("/devices", "POST", { name, variables: [{ name: "OSDComputerName", value: name }], ...record });
    const device = new TestDevice(site, onlyKnown, { ...attributes, macAddresses: [...("macAddresses" in attributes ? attributes.macAddresses : [])] });
    const id = await device.enrol();
    const found = (await devices()).filter((one) => one.name === name);
    assert.deepEqual(found.map((one) => [one.id, one.state, one.known]), [[id, "enrolled", true]], "the record became the device");
    assert.notEqual(id, made["id"]);
    assert.equal((await new TestDevice(site, onlyKnown, device.first.attributes).ask()).json["state"], "refused", "attributes never grant anything a second time");
  }
});

test("a computer without serial number is not taken for a record that has none", async () => {
  await site.must("/devices", "POST", { name: "BY-MAC", macAddress: "02:00:00:00:00:77" });
  assert.equal((await new TestDevice(site, onlyKnown, { serialNumber: "", smbiosUuid: "" }).ask()).json["state"], "refused");
});

test("a challenge of another device, altered, five minutes old or from the future is refused", async () => {
  const device = new TestDevice(site, media);
  const post = (challenge: string, key = device.key) => site.call(managementPointPaths.enrolment, { method: "POST", body: signEnrolment(device.first, challenge, key) });
  const good = await device.challenge();
  const [issued = "", mac = ""] = good.split(".");
  for (const challenge of [await new TestDevice(site, media).challenge(), `${Number(issued) + 1}.${mac}`, `${issued}.${mac.slice(0, -1)}`, issued, "", ".", "x".repeat(500)]) {
    const answer = await post(challenge);
    assert.deepEqual([answer.status, answer.json["code"]], [400, "PRESTAGE_TRUST_CHALLENGE_INVALID"], challenge);
  }
  clock += 5 * 60_000 + 1000;
  assert.equal((await post(good)).json["code"], "PRESTAGE_TRUST_CHALLENGE_INVALID");
  assert.equal((await post(await device.challenge(), generateSigningKey())).json["code"], "PRESTAGE_TRUST_SIGNATURE_INVALID", "signed by another key");
  clock -= 10 * 60_000;
  assert.equal((await post(good)).json["code"], "PRESTAGE_TRUST_CHALLENGE_INVALID");
  clock = 0;
});

test("a key that is not the hash it claims, or is no Ed25519 key, is refused", async () => {
  const device = new TestDevice(site, media);
  const other = generateSigningKey();
  for (const deviceKey of [{ ...device.key.public, keyId: other.keyId }, { keyId: "a".repeat(64), publicKey: "AAAA" }]) {
    const first = { ...device.first, deviceKey };
    const { json } = await site.call(managementPointPaths.challenge, { method: "POST", body: first });
    const answer = await site.call(managementPointPaths.enrolment, { method: "POST", body: signEnrolment(first, String(json["challenge"]), device.key) });
    assert.deepEqual([answer.status, answer.json["code"]], [400, "PRESTAGE_TRUST_KEY_MALFORMED"]);
  }
});

test("unproven callers send little, and odd attributes break nothing", async () => {
  assert.equal((await site.call(managementPointPaths.challenge, { method: "POST", body: { ...new TestDevice(site, media).first, more: "x".repeat(70_000) } })).status, 413);
  assert.equal((await site.call(managementPointPaths.challenge, { method: "POST", body: { ...new TestDevice(site, media).first, more: 1 } })).status, 400);
  const device = new TestDevice(site, media, { serialNumber: "a\u0000b'; DROP TABLE device; --", manufacturer: "\u0000" });
  assert.equal((await device.ask()).json["state"], "waiting");
  assert.equal((await device.enrol()).length, 36);
});

test("a request counts once, only with its own body, in its own time, under its own key", async () => {
  const device = new TestDevice(site, media);
  await device.enrol();
  const path = managementPointPaths.status;
  const request = await device.signed(path, { messages: [status(1)] });
  assert.equal((await site.call(path, request)).status, 200);
  const replayed = await site.call(path, request);
  assert.deepEqual([replayed.status, replayed.json["code"]], [409, "PRESTAGE_SITE_REQUEST_REPLAYED"]);
  const other = new TestDevice(site, media);
  await other.enrol();
  const good = await device.signed(path, { messages: [status(2)] });
  const refused: [string, Parameters<typeof site.call>[1], number, string][] = [
    ["another body", { ...good, rawBody: Buffer.from(JSON.stringify({ messages: [status(3)] })) }, 401, "PRESTAGE_TRUST_REQUEST_SIGNATURE"],
    ["a key nobody enrolled", await device.signed(path, { messages: [status(2)] }, generateSigningKey()), 403, "PRESTAGE_SITE_DEVICE_UNKNOWN"],
    ["an old signature", await device.signed(path, { messages: [status(2)] }, device.key, new Date(Date.now() - 301_000)), 401, "PRESTAGE_TRUST_REQUEST_SIGNATURE"],
    ["a signature of the future", await device.signed(path, { messages: [status(2)] }, device.key, new Date(Date.now() + 3600_000)), 401, "PRESTAGE_TRUST_REQUEST_SIGNATURE"],
    ["no signature", { ...good, headers: { "content-type": "application/json" } }, 403, "PRESTAGE_SITE_DEVICE_UNKNOWN"],
    ["another device's key id", { ...good, headers: { ...good.headers, "signature-input": (good.headers["signature-input"] ?? "").replace(device.key.keyId, other.key.keyId) } }, 401, "PRESTAGE_TRUST_REQUEST_SIGNATURE"],
    ["a signature that does not cover the body", { ...good, headers: { ...good.headers, "signature-input": (good.headers["signature-input"] ?? "").replace(' "content-digest"', "") } }, 401, "PRESTAGE_TRUST_REQUEST_SIGNATURE"],
  ];
  for (const [name, options, status_, code] of refused) {
    const answer = await site.call(path, options);
    assert.equal(answer.json["code"] === code || (status_ === 401 && answer.json["code"] === "PRESTAGE_SITE_DEVICE_UNKNOWN"), true, `${name}: ${answer.body.toString()}`);
    assert.ok(answer.status === 401 || answer.status === 403, name);
  }
  assert.equal((await site.call("/mp/v1/policy", good)).status, 400, "a signature for one path says nothing for another");
  const kept = (await site.admin("/status?limit=5000")).json as { message: { number: number } }[];
  assert.ok(kept.every(({ message }) => message.number === 1));
});

test("each status message is kept once, in order, and the answer is how far nothing is missing", async () => {
  const device = new TestDevice(site, media);
  const id = await device.enrol();
  const post = async (messages: object[]) => (await device.post(managementPointPaths.status, { messages })).json["highest"];
  assert.equal(await post([status(1), status(2, { text: "first" })]), 2);
  assert.equal(await post([status(2, { text: "again" }), status(3)]), 3, "an answer was lost: all is sent again");
  assert.equal(await post([status(4), status(6), status(7)]), 4, "5 is missing: the device keeps 5 and what follows");
  assert.equal(await post([status(5), status(6), status(7)]), 7);
  assert.equal(await post([status(8, { text: "a\u0000b", outputTail: "\ud800" })]), 8);
  const kept = (await site.admin(`/status?deviceId=${id}`)).json as { message: { number: number; text?: string } }[];
  assert.deepEqual(kept.map(({ message }) => message.number).toSorted((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(kept.find(({ message }) => message.number === 2)?.message.text, "first");
  assert.deepEqual(((await site.must(`/devices/${id}`))["lastStatus"] as { number: number }).number, 8);
  for (const bad of [[], [status(0)], [status(2 ** 31)], [{ ...status(9), kind: "nothing" }], Array.from({ length: 501 }, (_, i) => status(i + 9))]) assert.equal((await device.post(managementPointPaths.status, { messages: bad })).status, 400);
});

test("a page sees a device change at once, without asking again", async () => {
  const { get } = await import("node:https");
  const seen = await new Promise<string>((resolve, reject) => {
    const sent = get(`${site.running.url}/v1/devices/events`, { ca: site.context.keys.authority.certificate, headers: { authorization: `Bearer ${site.context.keys.adminToken}` } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        const fresh = text === "";
        text += part;
        if (fresh) new TestDevice(site, media, { serialNumber: "LIVE1" }).ask().catch(reject);
        if (text.includes("PC-LIVE1")) {
          resolve(text);
          sent.destroy();
        }
      });
    });
    sent.on("error", reject);
  });
  assert.match(seen, /^event: devices\ndata: \[/);
});
