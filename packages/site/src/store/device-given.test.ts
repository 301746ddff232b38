import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceGivenSchema } from "@prestage/contract";
import type { DeviceGiven } from "@prestage/contract";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const media = await registerMedia(site, "a".repeat(64));
const add = async (name: string) => String((await site.must("/task-sequences", "POST", { yaml: `name: ${name}\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' }, secrets: [JOIN] }\n` }))["id"]);
const device = new TestDevice(site, media, { serialNumber: "GIVEN" });
const deviceId = await device.enrol("GIVEN-1");
const deploy = async (taskSequenceId: string, change: object = {}) => String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "available", makeAvailableTo: "MediaAndPxe", ...change }))["id"]);
const given = async (query: string): Promise<DeviceGiven> => deviceGivenSchema.parse(await site.must(`/devices/${deviceId}/given?${query}`));

test("what is told before is what the policy gives: collections in their order, the deployment's, the device's own", async () => {
  const sequence = await add("Debugged");
  const deployment = await deploy(sequence, { debug: true });
  const collection = async (name: string, value: string) => String((await site.must("/collections", "POST", { name, members: [deviceId], variables: [{ name: "Where", value }] }))["id"]);
  const [north, south] = [await collection("North", "north"), await collection("South", "south")];
  await site.must(`/devices/${deviceId}`, "PATCH", { variables: [{ name: "Role", value: "kiosk" }] });
  const told = await given(`taskSequence=${sequence}`);
  assert.deepEqual(told.variables, [
    { name: "Where", value: "north", source: "collection", of: `North (${north})` }, { name: "Where", value: "south", source: "collection", of: `South (${south})` },
    { name: "TSDebugMode", value: "true", source: "deployment", of: deployment }, { name: "Role", value: "kiosk", source: "device" },
  ]);
  const { selected } = await device.policy({ deploymentId: deployment });
  assert.deepEqual(selected?.variables, told.variables.map(({ name, value, source }) => ({ name, value, source })));
  assert.equal(told.mediaId, media);
  assert.deepEqual((await given("")).variables.map(({ source }) => source), ["collection", "collection", "device"], "without a sequence there is no deployment");
});

test("of several deployments the one that would begin by itself comes first, then what is offered; the rest say why they are not; one may be chosen", async () => {
  const sequence = await add("Often");
  const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
  const [clients, hidden, later, ended, open, required] = [
    await deploy(sequence, { makeAvailableTo: "Clients" }), await deploy(sequence, { makeAvailableTo: "MediaAndPxeHidden" }), await deploy(sequence, { availableFrom: at(3600) }), await deploy(sequence, { availableFrom: at(-7200), expires: at(-3600) }), await deploy(sequence), await deploy(sequence, { purpose: "required" }),
  ];
  const { deployments } = await given(`taskSequence=${sequence}`);
  assert.deepEqual(deployments.map((one) => [one.id, one.offered]), [[required, "required"], [open, "available"], [clients, "no"], [hidden, "no"], [later, "no"], [ended, "no"]]);
  assert.deepEqual(deployments.slice(2).map(({ why = "" }) => why.split(" ").slice(0, 3).join(" ")), ["it is for", "it is hidden:", "it is available", "it ended at"]);
  assert.deepEqual((await given(`deployment=${hidden}`)).deployments.map(({ id }) => id), [hidden]);
  const preferring = await registerMedia(site, "b".repeat(64), { variables: [{ name: "SMSTSPreferredAdvertID", value: `{${hidden.toLowerCase()}}` }] });
  const asked = (await given(`taskSequence=${sequence}&media=${preferring}`)).deployments;
  assert.deepEqual([asked[0]?.id, asked[0]?.offered, asked.find(({ id }) => id === open)?.why], [hidden, "available", `the media asks for ${hidden} alone (SMSTSPreferredAdvertID)`]);
  const other = await site.admin(`/devices/${deviceId}/given?taskSequence=${await add("Other")}&deployment=${open}`);
  assert.deepEqual([other.status, other.json["code"]], [404, "PRESTAGE_SITE_NOT_OFFERED"]);
});

test("secrets are told by their names alone, each with whose it is, the nearest first; those a password does not open are said to be refused", async () => {
  const sequence = await add("Secret");
  const deployment = await deploy(sequence);
  const secret = (scope: string, ownerId: string, name: string) => site.must("/secrets", "PUT", { scope, ownerId, name, value: "hunter2" });
  await secret("deployment", deployment, "JOIN");
  await secret("device", deviceId, "join");
  await secret("deployment", deployment, "LICENCE");
  const told = await given(`taskSequence=${sequence}`);
  assert.deepEqual([told.secrets, told.secretsRefused], [[{ name: "join", source: "device" }, { name: "LICENCE", source: "deployment", of: deployment }], undefined]);
  assert.ok(!JSON.stringify(told).includes("hunter2"));
  await site.context.db.updateTable("device").set({ proof: "password" }).where("id", "=", deviceId).execute();
  assert.match((await given(`taskSequence=${sequence}`)).secretsRefused ?? "", /media password alone/);
  await site.must(`/deployments/${deployment}`, "PATCH", { secretsToPassword: true });
  assert.equal((await given(`taskSequence=${sequence}`)).secretsRefused, undefined);
});
