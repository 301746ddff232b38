import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { managementPointPaths, secretsAnswerSchema } from "@prestage/contract";
import { generateSealingKey, openSecret } from "@prestage/trust";
import { registerClaim, registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const media = await registerMedia(site, "a".repeat(64), { passwordRequired: true });
await site.must(`/media/${media}/password`, "PUT", { password: "media password" });
const value = "S3cret-value-of-JOIN";
const yaml = (names: string) => `name: With secrets\nsteps:\n  - { name: Join, type: run-command-line, with: { command: 'true' }, secrets: [${names}] }\n`;
const sequenceId = String((await site.must("/task-sequences", "POST", { yaml: yaml("JOIN, other") }))["id"]);
const allSystems = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-systems")?.id ?? "";
const deploy = async (change: object = {}) => String((await site.must("/deployments", "POST", { taskSequenceId: sequenceId, collectionId: allSystems, purpose: "available", makeAvailableTo: "MediaAndPxe", ...change }))["id"]);
const deploymentId = await deploy();
const secret = (scope: string, ownerId: string, text: string, name = "JOIN") => site.must("/secrets", "PUT", { scope, ownerId, name, value: text });

/** A computer let in by its claim, which chose the deployment. */
async function enrolled(chosen = deploymentId): Promise<{ device: TestDevice; id: string }> {
  const device = new TestDevice(site, media, {}, await registerClaim(site, media));
  const id = String((await device.askWithClaim()).json["deviceId"]);
  await device.policy({ deploymentId: chosen });
  return { device, id };
}
const ask = (device: TestDevice, names = ["JOIN"], id = deploymentId) => device.post(managementPointPaths.secrets, { deploymentId: id, names });
async function opened(device: TestDevice, name = "JOIN", id = deploymentId): Promise<string> {
  const answer = secretsAnswerSchema.parse((await ask(device, [name], id)).json);
  const [one] = answer.secrets;
  assert.ok(one !== undefined, JSON.stringify(answer));
  return openSecret(device.sealing, one.sealed, { deviceKeyId: device.key.keyId, deploymentId: id, name, siteCode: "ABC" });
}

test("a secret is sealed to the device that asks; the device's own wins over the deployment's, that over a collection's", async () => {
  const { device, id } = await enrolled();
  assert.deepEqual((await ask(device)).json["missing"], ["JOIN"]);
  await secret("collection", allSystems, "of the collection");
  assert.equal(await opened(device), "of the collection");
  await secret("deployment", deploymentId, "of the deployment", "join");
  assert.equal(await opened(device), "of the deployment");
  await secret("device", id, value);
  assert.equal(await opened(device), value);
  const answer = await ask(device);
  assert.ok(!answer.body.includes(value) && !answer.body.includes(Buffer.from(value).toString("base64").slice(0, 20)));
  const [sealed] = secretsAnswerSchema.parse(answer.json).secrets;
  assert.ok(sealed !== undefined);
  await assert.rejects(openSecret(generateSealingKey(), sealed.sealed, { deviceKeyId: device.key.keyId, deploymentId, name: "JOIN", siteCode: "ABC" }), { code: "PRESTAGE_TRUST_SECRET_SEALED" });
  const lines = ((await site.admin(`/audit?subject=${id}`)).json as { action: string; subject: string }[]).filter((line) => line.action === "secrets-sealed");
  assert.equal(lines.at(-1)?.subject, `${deploymentId}: JOIN`);
});

test("only what a step of the chosen revision names, of the chosen deployment, while it reaches the device", async () => {
  const { device } = await enrolled();
  const refused = async (names: string[], id: string) => {
    const answer = await ask(device, names, id);
    assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_SECRET_REFUSED"], `${names.join()} ${id}`);
  };
  await refused(["NOT_NAMED"], deploymentId);
  await refused(["JOIN", "NOT_NAMED"], deploymentId);
  const another = await deploy();
  await refused(["JOIN"], another);
  await refused(["JOIN"], "ABC0FFFF");
  // The sequence drops the secret in a newer revision: the run that was begun goes on with its own.
  await site.must("/task-sequences", "POST", { yaml: yaml("other"), update: sequenceId });
  assert.equal(await opened(device), "of the deployment");
  const { device: later } = await enrolled();
  const answer = await ask(later);
  assert.equal(answer.json["code"], "PRESTAGE_SITE_SECRET_REFUSED", "a run begun now does not name it");
  await site.must("/task-sequences", "POST", { yaml: yaml("JOIN, other"), update: sequenceId });
  await site.must(`/deployments/${deploymentId}`, "PATCH", { enabled: false });
  await refused(["JOIN"], deploymentId);
  await site.must(`/deployments/${deploymentId}`, "PATCH", { enabled: true });
});

test("a device let in by the media password alone gets secrets only where the deployment says so; by approval it gets them", async () => {
  const byPassword = new TestDevice(site, media);
  assert.equal((await byPassword.askWithPassword("media password")).json["state"], "approved");
  const careful = await deploy();
  await secret("deployment", careful, value);
  await byPassword.policy({ deploymentId: careful });
  const answer = await ask(byPassword, ["JOIN"], careful);
  assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_SECRET_REFUSED"]);
  assert.equal((await site.must(`/deployments/${careful}`, "PATCH", { secretsToPassword: true }))["secretsToPassword"], true);
  assert.equal(await opened(byPassword, "JOIN", careful), value);
  await site.must(`/deployments/${careful}`, "PATCH", { secretsToPassword: false });
  const approved = new TestDevice(site, media);
  await approved.enrol();
  await approved.policy({ deploymentId: careful });
  assert.equal(await opened(approved, "JOIN", careful), value);
});

test("a record's secrets move with it when it becomes the device", async () => {
  const { id } = await site.must("/devices", "POST", { name: "RECORD", serialNumber: "REC-1" });
  await secret("device", String(id), "of the record", "other");
  const device = new TestDevice(site, media, { serialNumber: "REC-1" }, await registerClaim(site, media));
  const { json } = await device.askWithClaim();
  assert.equal(json["deviceName"], "RECORD");
  await device.policy({ deploymentId });
  assert.equal(await opened(device, "other"), "of the record");
  assert.deepEqual((await site.must(`/devices/${String(json["deviceId"])}`))["secretVariables"], ["other"]);
});

test("no list, no policy, no file of the site but the key's own holds a value", async () => {
  const { device } = await enrolled();
  const lists = await Promise.all(["/devices", "/collections", "/deployments", "/secrets", "/audit", "/task-sequences", "/media"].map((path) => site.admin(path)));
  const policy = await device.post(managementPointPaths.policy, { mediaId: media, deploymentId });
  for (const answer of [...lists, policy]) for (const text of [value, "of the deployment", "of the collection", "of the record"]) assert.ok(!answer.body.includes(text), text);
  assert.deepEqual((await site.admin("/deployments")).json.map((one) => (one as { id: string; secretVariables: string[] })).find((one) => one.id === deploymentId)?.secretVariables, ["join"]);
  assert.equal((await stat(join(folder, "data/keys/secrets-key"))).mode & 0o777, 0o600);
  const files = (await readdir(join(folder, "data"), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files) {
    const bytes = await readFile(join(file.parentPath, file.name)).catch(() => Buffer.alloc(0)); // PostgreSQL removes files of its own
    assert.ok(!bytes.includes(value) && !bytes.includes("media password"), file.name);
  }
});

test("a value given to another owner in the database, or altered there, does not open", async () => {
  const [{ id }, { device, id: other }] = [await enrolled(), await enrolled()];
  await secret("device", id, value);
  await site.context.db.updateTable("secret").set({ owner_id: other }).where("owner_id", "=", id).execute();
  assert.equal((await ask(device)).json["code"], "PRESTAGE_SITE_SECRET_UNREADABLE");
  await secret("device", other, value);
  assert.equal(await opened(device), value);
  await site.context.db.updateTable("secret").set({ sealed: Buffer.alloc(60) }).where("owner_id", "=", other).execute();
  assert.equal((await ask(device)).json["code"], "PRESTAGE_SITE_SECRET_UNREADABLE");
});

test("what is no secret's name or owner is refused, and a secret is removed", async () => {
  const put = (body: object) => site.admin("/secrets", { method: "PUT", body: { scope: "deployment", ownerId: deploymentId, name: "A", value: "v", ...body } });
  for (const [body, status] of [[{ name: "PATH" }, 400], [{ name: "A-B" }, 400], [{ value: "" }, 400], [{ scope: "site" }, 400], [{ ownerId: "ABC0FFFF" }, 404], [{ scope: "device" }, 404], [{ scope: "device", ownerId: "00000000-0000-4000-8000-000000000000" }, 404]] as const) assert.equal((await put(body)).status, status, JSON.stringify(body));
  assert.equal((await put({})).status, 204);
  assert.equal((await site.admin(`/secrets?scope=deployment&ownerId=${deploymentId}&name=a`, { method: "DELETE" })).status, 204);
  assert.equal((await site.admin(`/secrets?scope=deployment&ownerId=${deploymentId}&name=a`, { method: "DELETE" })).status, 404);
  assert.equal((await site.admin("/task-sequences", { method: "POST", body: { yaml: "name: Bad\nsteps:\n  - { name: a, type: restart, secrets: [A-B] }\n" } })).status, 422);
});
