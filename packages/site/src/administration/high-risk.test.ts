import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { isOwn } from "../store/high-risk.ts";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const site = await startSite(await dataDirectory());
const builtIn = async (name: string) => ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === name)?.id ?? "";
const [allSystems, unknownComputers] = [await builtIn("all-systems"), await builtIn("all-unknown-computers")];
const add = async (name: string, steps: string) => String((await site.must("/task-sequences", "POST", { yaml: `name: ${name}\nsteps:\n${steps}` }))["id"]);
const disk = "  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb } }\n";
const system = await add("System", disk);
const parent = await add("Parent", `  - { name: Group, type: group, steps: [{ name: Child, type: run-task-sequence, with: { taskSequence: ${system} } }] }\n`);
const harmless = await add("Harmless", "  - { name: Run, type: run-command-line, with: { command: 'true' } }\n  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb }, disabled: true }\n");
let devices = 0;
const addDevice = async (change: object = {}) => String((await site.must("/devices", "POST", { name: `PC-${++devices}`, serialNumber: `S${devices}`, ...change }))["id"]);
const collection = async (members: readonly string[]) => String((await site.must("/collections", "POST", { name: `Collection ${members.length} ${++devices}`, members }))["id"]);
const create = (change: object) => site.admin("/deployments", { method: "POST", body: { taskSequenceId: system, purpose: "required", makeAvailableTo: "MediaAndPxe", ...change } });
const code = async (change: object) => (await create(change)).json["code"] ?? "made";
const set = (body: object) => site.admin("/settings", { method: "PATCH", body });
const auditOf = async (subject: RegExp) => ((await site.admin("/audit")).json as { action: string; subject: string }[]).filter((one) => one.action === "deployment-warning-accepted" && subject.test(one.subject));

test("All Systems is refused for a required deployment of an operating system, through a child too; for anything else it is not", async () => {
  for (const taskSequenceId of [system, parent]) assert.equal(await code({ taskSequenceId, collectionId: allSystems }), "PRESTAGE_SITE_HIGH_RISK_TARGET");
  assert.equal(await code({ taskSequenceId: harmless, collectionId: allSystems }), "made");
  assert.equal(await code({ purpose: "available", collectionId: allSystems }), "made");
  for (const target of [{ collectionId: unknownComputers }, { collectionId: await collection([await addDevice()]) }, { deviceId: await addDevice() }]) {
    const made = await create({ ...target, taskSequenceId: parent });
    assert.deepEqual([made.status, made.json["highRisk"]], [200, true]);
  }
});

test("making one required is guarded as making it is; what is required already may be changed", async () => {
  const id = String((await create({ purpose: "available", collectionId: allSystems })).json["id"]);
  const refused = await site.admin(`/deployments/${id}`, { method: "PATCH", body: { purpose: "required", enabled: false } });
  assert.deepEqual([refused.status, refused.json["code"]], [409, "PRESTAGE_SITE_HIGH_RISK_TARGET"]);
  const after = await site.must(`/deployments/${id}`);
  assert.deepEqual([after["purpose"], after["enabled"], after["highRisk"]], ["available", true, false], "nothing of a refused change is done");
  const required = String((await create({ collectionId: unknownComputers })).json["id"]);
  assert.equal((await site.must(`/deployments/${required}`, "PATCH", { purpose: "required", comment: undefined, enabled: false }))["enabled"], false);
});

test("a collection past the default size needs a word, which the audit keeps; past the maximum there is none", async () => {
  await site.must("/settings", "PATCH", { collectionDefaultSize: 2, collectionMaximumSize: 3 });
  const members = [await addDevice(), await addDevice(), await addDevice(), await addDevice()];
  const [two, three, four] = [await collection(members.slice(2)), await collection(members.slice(1)), await collection(members)];
  assert.equal(await code({ collectionId: two }), "made");
  assert.equal(await code({ collectionId: three }), "PRESTAGE_SITE_COLLECTION_LARGE");
  const made = await create({ collectionId: three, largeCollection: true });
  assert.equal(made.status, 200);
  assert.equal((await auditOf(new RegExp(`^${String(made.json["id"])}: large collection .* with 3 computers$`))).length, 1);
  assert.equal(await code({ collectionId: four, largeCollection: true }), "PRESTAGE_SITE_HIGH_RISK_TARGET");
  assert.equal(await code({ collectionId: four, taskSequenceId: harmless }), "made");
  await site.must("/settings", "PATCH", { collectionDefaultSize: 0, collectionMaximumSize: 0 });
  assert.equal(await code({ collectionId: four }), "made", "0 asks for nothing");
  // Later growth is not looked at: the deployment stands.
  assert.equal((await set({ collectionDefaultSize: 5, collectionMaximumSize: 5 })).status, 400);
  assert.deepEqual((await site.must("/settings"))["collectionDefaultSize"], 0, "a refused change is none");
  await site.must("/settings", "PATCH", { collectionDefaultSize: 100 });
});

test("a computer the site itself runs on is refused; where the site only warns, who agrees stands in the audit", async () => {
  const own = await addDevice({ name: (hostname().split(".")[0] ?? "").replaceAll(/[^A-Za-z0-9-]/g, "-") });
  const other = await addDevice({ serialNumber: "FILE-SERVER" });
  const both = await collection([own, other]);
  assert.equal(await code({ collectionId: both, siteSystems: true }), "PRESTAGE_SITE_SYSTEM_TARGETED");
  assert.equal(await code({ deviceId: own }), "PRESTAGE_SITE_SYSTEM_TARGETED");
  assert.equal(await code({ deviceId: other }), "made");
  await site.must("/settings", "PATCH", { siteSystems: "warning", siteComputers: ["file-server"] });
  assert.equal(await code({ deviceId: other }), "PRESTAGE_SITE_SYSTEM_TARGETED");
  const made = await create({ collectionId: both, siteSystems: true });
  assert.equal(made.status, 200);
  assert.equal((await auditOf(new RegExp(`^${String(made.json["id"])}: computers of the site: .*, `))).length, 1);
  await site.must("/settings", "PATCH", { siteSystems: "error", siteComputers: [] });
});

test("of two computers with one MAC address the UUID tells them apart", () => {
  const attributes = { macAddresses: ["52:54:00:12:34:56"] };
  const own = { named: new Set<string>(), name: "server", uuid: "11111111-0000-0000-0000-000000000000", macAddresses: ["52:54:00:12:34:56"] };
  assert.equal(isOwn({ name: "PC", attributes }, own), true);
  assert.equal(isOwn({ name: "PC", attributes: { ...attributes, smbiosUuid: "22222222-0000-0000-0000-000000000000" } }, own), false);
  assert.equal(isOwn({ name: "PC", attributes: { macAddresses: [], smbiosUuid: "11111111-0000-0000-0000-000000000000" } }, own), true);
  assert.equal(isOwn({ name: "PC", attributes: { macAddresses: [] } }, { ...own, uuid: undefined }), false);
});

test("a computer that chose a deployment to All Unknown Computers is offered it at later starts, when the site knows it too; others are not", async () => {
  const media = await registerMedia(site, "a".repeat(64));
  const device = new TestDevice(site, media, { serialNumber: "NEW" });
  const id = await device.enrol();
  for (const one of (await site.admin("/deployments")).json as { id: string }[]) await site.must(`/deployments/${one.id}`, "PATCH", { enabled: false });
  const chosen = String((await create({ collectionId: unknownComputers })).json["id"]);
  const other = String((await create({ collectionId: unknownComputers })).json["id"]);
  const offered = async () => (await device.policy()).offers.map((offer) => offer.deploymentId);
  assert.deepEqual(await offered(), [chosen, other]);
  assert.ok((await device.policy({ deploymentId: chosen })).selected);
  await site.context.db.updateTable("device").set({ known: true }).where("id", "=", id).execute();
  assert.deepEqual(await offered(), [chosen]);
  assert.ok((await device.policy({ deploymentId: chosen })).selected, "at each of its starts");
});
