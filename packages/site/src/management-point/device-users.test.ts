import assert from "node:assert/strict";
import { test } from "node:test";
import { affinitySchema, deviceSchema, managementPointPaths } from "@prestage/contract";
import type { StatusMessage } from "@prestage/contract";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { maximumUsersPerDevice } from "../store/affinities.ts";

const site = await startSite(await dataDirectory());
const media = {
  none: await registerMedia(site, "1".repeat(64)),
  approval: await registerMedia(site, "2".repeat(64), { userDeviceAffinity: "approval" }),
  automatic: await registerMedia(site, "3".repeat(64), { userDeviceAffinity: "automatic" }),
};

type Mode = keyof typeof media;
const message = (number: number, mode: Mode, users: string[]): StatusMessage => ({ number, time: "2026-01-01T00:00:00Z", kind: "user-device-affinity", environment: "installed", deploymentId: "ABC00007", affinity: { mode, users } });
const send = (device: TestDevice, ...messages: StatusMessage[]) => device.post(managementPointPaths.status, { messages });
const listed = async (id: string) => affinitySchema.array().parse((await site.admin(`/affinities?deviceId=${id}`)).json);
const states = async (id: string) => (await listed(id)).map((one) => `${one.user} ${one.state}`);

async function enrolled(mode: Mode): Promise<{ device: TestDevice; id: string }> {
  const device = new TestDevice(site, media[mode]);
  return { device, id: await device.enrol() };
}

test("the media decides: none is ignored, approval is pending, automatic is approved; a device asks for less, never for more", async () => {
  for (const [allowed, asked, state] of [
    ["none", "automatic", undefined], ["none", "none", undefined], ["approval", "automatic", "pending"], ["approval", "approval", "pending"], ["approval", "none", undefined],
    ["automatic", "automatic", "approved"], ["automatic", "approval", "pending"], ["automatic", "none", undefined],
  ] as const) {
    const { device, id } = await enrolled(allowed);
    assert.equal((await send(device, message(1, asked, ["CONTOSO\\alice", "example.com\\bob"]))).status, 200);
    const found = await listed(id);
    assert.deepEqual(found.map((one) => [one.user, one.state, one.source, one.decided]), state === undefined ? [] : [["CONTOSO\\alice", state, "ABC00007", null], ["example.com\\bob", state, "ABC00007", null]], `${allowed} ${asked}`);
    const lines = (await site.admin(`/audit?subject=${id}`)).json as unknown as { action: string; subject: string }[];
    assert.match(lines.find((line) => line.action === "affinity-reported")?.subject ?? "", state === undefined ? /2 users not recorded/ : new RegExp(`^${state}: CONTOSO\\\\alice, example\\.com\\\\bob$`));
  }
});

test("a report that is sent again is recorded once; what is removed meanwhile does not come back by it", async () => {
  const { device, id } = await enrolled("automatic");
  const report = message(1, "automatic", ["D\\one"]);
  await send(device, report);
  await site.must(`/affinities?${new URLSearchParams({ deviceId: id, user: "d\\ONE" }).toString()}`, "DELETE");
  assert.deepEqual((await send(device, report, { ...message(2, "automatic", ["D\\two"]) })).json, { highest: 2 });
  assert.deepEqual(await states(id), ["D\\two approved"]);
  await send(device, message(3, "automatic", ["D\\one"]));
  assert.deepEqual(await states(id), ["D\\two approved", "D\\one approved"]);
});

test("an administrator approves or refuses; a refused user stays refused, a pending one is approved by an automatic report, and all is audited", async () => {
  const { device, id } = await enrolled("automatic");
  await send(device, message(1, "approval", ["D\\a", "D\\b", "D\\c"]));
  const decided = await site.must("/affinities", "POST", { deviceId: id, user: "d\\A", decision: "approve" });
  assert.deepEqual([decided["user"], decided["state"], typeof decided["decided"]], ["D\\a", "approved", "string"]);
  await site.must("/affinities", "POST", { deviceId: id, user: "D\\b", decision: "refuse" });
  await send(device, message(2, "automatic", ["D\\b", "d\\C"]));
  assert.deepEqual(await states(id), ["D\\a approved", "D\\b refused", "D\\c approved"]);
  assert.deepEqual(deviceSchema.parse(await site.must(`/devices/${id}`)).users, [{ name: "D\\a", state: "approved" }, { name: "D\\b", state: "refused" }, { name: "D\\c", state: "approved" }]);
  assert.deepEqual(affinitySchema.array().parse((await site.admin(`/affinities?deviceId=${id}&state=refused`)).json).map((one) => one.user), ["D\\b"]);
  const lines = ((await site.admin(`/audit?subject=${id}`)).json as unknown as { actor: string; action: string }[]).filter((line) => line.action.startsWith("affinity-"));
  assert.deepEqual(lines.map((line) => [line.actor, line.action]), [[`device ${id}`, "affinity-reported"], ["administrator", "affinity-approve"], ["administrator", "affinity-refuse"], [`device ${id}`, "affinity-reported"]]);
});

test("names that are none are refused, the users of a device are bounded, and one that is not there is not found", async () => {
  const { device, id } = await enrolled("automatic");
  for (const user of ["alice", "D\\", "D\\a\u0000", "D\\a,b", `D\\${"x".repeat(200)}`]) assert.equal((await send(device, message(1, "automatic", [user]))).status, 400, user);
  assert.equal((await send(device, message(1, "automatic", Array.from({ length: 33 }, (_, i) => `D\\u${i}`)))).status, 400);
  const reports = [0, 1, 2].map((n) => message(n + 1, "automatic", Array.from({ length: 30 }, (_, i) => `D\\u${n * 30 + i}`)));
  for (const answer of await Promise.all(reports.map((report) => send(device, report)))) assert.equal(answer.status, 200, answer.body.toString());
  assert.equal((await listed(id)).length, maximumUsersPerDevice);
  for (const [path, method, body] of [["/affinities", "POST", { deviceId: id, user: "D\\none", decision: "approve" }], [`/affinities?${new URLSearchParams({ deviceId: id, user: "D\\none" }).toString()}`, "DELETE", undefined]] as const) {
    const answer = await site.admin(path, { method, body });
    assert.deepEqual([answer.status, answer.json["code"]], [404, "PRESTAGE_SITE_NOT_FOUND"]);
  }
});
