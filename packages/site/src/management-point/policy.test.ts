import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { managementPointPaths, policySchema } from "@prestage/contract";
import type { MakeAvailableTo } from "@prestage/contract";
import { verifyDocument } from "@prestage/trust";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import type { Answer } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const media = await registerMedia(site, "a".repeat(64));
const collections = (await site.admin("/collections")).json as { id: string; builtIn: string | null }[];
const unknownComputers = collections.find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
const allSystems = collections.find((one) => one.builtIn === "all-systems")?.id ?? "";
const sequenceId = String((await site.must("/task-sequences", "POST", { yaml: "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n" }))["id"]);
const device = new TestDevice(site, media, { serialNumber: "POLICY" });
const deviceId = await device.enrol("UNKNOWN-1");

async function deploy(change: object = {}): Promise<string> {
  return String((await site.must("/deployments", "POST", { taskSequenceId: sequenceId, collectionId: unknownComputers, purpose: "available", makeAvailableTo: "MediaAndPxe", ...change }))["id"]);
}
const offered = async (request: Parameters<TestDevice["policy"]>[0] = {}, from = device) => {
  const policy = await from.policy(request);
  return { ids: policy.offers.map((offer) => offer.deploymentId), nothing: policy.nothingOffered };
};

const values: readonly MakeAvailableTo[] = ["Clients", "ClientsMediaAndPxe", "MediaAndPxe", "MediaAndPxeHidden"];
for (const makeAvailableTo of values) {
  for (const purpose of ["available", "required"] as const) {
    test(`made available to ${makeAvailableTo}, ${purpose}: what a media-started computer is offered without an id, with this one and with another`, async () => {
      const id = await deploy({ makeAvailableTo, purpose });
      const other = await deploy({ makeAvailableTo: "MediaAndPxe", comment: "another" });
      const absent = "ABC0FFFE";
      const media_ = makeAvailableTo !== "Clients";
      const open = makeAvailableTo === "ClientsMediaAndPxe" || makeAvailableTo === "MediaAndPxe";
      assert.deepEqual(await offered(), { ids: open ? [id, other] : [other], nothing: undefined });
      assert.deepEqual((await device.policy()).offers.find((offer) => offer.deploymentId === id)?.purpose, open ? purpose : undefined);
      const named = await offered({ preferredDeploymentId: id });
      assert.deepEqual(named.ids, media_ ? [id] : []);
      if (media_) assert.equal(named.nothing, undefined);
      else assert.match(named.nothing ?? "", new RegExp(id), "the screen names the id");
      assert.deepEqual((await offered({ preferredDeploymentId: other })).ids, [other]);
      const none = await offered({ preferredDeploymentId: absent });
      assert.deepEqual(none.ids, []);
      assert.match(none.nothing ?? "", new RegExp(absent));
      // Choosing what is not offered gives nothing, by whatever request.
      for (const [request, allowed] of [[{ deploymentId: id }, open], [{ deploymentId: id, preferredDeploymentId: id }, media_], [{ deploymentId: id, preferredDeploymentId: other }, false], [{ deploymentId: other, preferredDeploymentId: absent }, false]] as const) {
        const answer = await device.post(managementPointPaths.policy, { mediaId: media, ...request });
        assert.equal(answer.status, allowed ? 200 : 404, JSON.stringify(request));
        assert.equal(answer.json["taskSequence"] !== undefined, allowed);
      }
      for (const one of [id, other]) await site.must(`/deployments/${one}`, "PATCH", { enabled: false });
      assert.deepEqual((await offered()).ids, []);
    });
  }
}

test("a deployment is offered from its time on until its end; what was chosen before goes on, and what comes is named", async () => {
  const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
  const past = await deploy({ availableFrom: at(-7200), expires: at(-3600) });
  const future = await deploy({ availableFrom: at(7200) });
  const none = await offered();
  assert.deepEqual(none.ids, []);
  assert.match(none.nothing ?? "", new RegExp(String((await site.must(`/deployments/${future}`))["availableFrom"])));
  assert.match((await offered({ preferredDeploymentId: future })).nothing ?? "", new RegExp(future));
  assert.deepEqual((await site.must(`/deployments/${past}`, "PATCH", { expires: at(3600) }))["enabled"], true);
  assert.deepEqual((await offered()).ids, [past]);
  assert.ok((await device.policy({ deploymentId: past })).selected);
  await site.must(`/deployments/${past}`, "PATCH", { expires: at(-1) });
  assert.deepEqual((await offered()).ids, []);
  assert.ok((await device.policy({ deploymentId: past })).selected, "it runs");
  assert.equal((await device.post(managementPointPaths.policy, { mediaId: media, deploymentId: future })).status, 404);
  await site.must(`/deployments/${future}`, "PATCH", { availableFrom: null });
  assert.deepEqual((await offered()).ids, [future]);
  for (const [change, status] of [[{ availableFrom: at(10), expires: at(5) }, 400], [{ expires: "tomorrow" }, 400], [{ expires: null }, 200]] as const) assert.equal((await site.admin(`/deployments/${future}`, { method: "PATCH", body: change })).status, status, JSON.stringify(change));
  for (const one of [past, future]) await site.must(`/deployments/${one}`, "PATCH", { enabled: false });
});

test("nothing deployed: the policy says so in words", async () => {
  assert.match((await offered()).nothing ?? "", /No task sequence is deployed/);
});

test("a change of a deployment counts at the very next request", async () => {
  const id = await deploy();
  assert.deepEqual((await offered()).ids, [id]);
  for (const [change, ids] of [[{ makeAvailableTo: "MediaAndPxeHidden" }, []], [{ makeAvailableTo: "ClientsMediaAndPxe", purpose: "required" }, [id]], [{ enabled: false }, []], [{ enabled: true }, [id]]] as const) {
    await site.must(`/deployments/${id}`, "PATCH", change);
    assert.deepEqual((await offered()).ids, ids, JSON.stringify(change));
  }
  await site.must(`/deployments/${id}`, "PATCH", { enabled: false });
});

test("a deployment reaches a device itself, its collections and the built-in ones it belongs to; nobody else", async () => {
  await site.must("/devices", "POST", { name: "KNOWN-1", serialNumber: "KNOWN", variables: [{ name: "OSDComputerName", value: "KNOWN-1" }] });
  const known = new TestDevice(site, media, { serialNumber: "KNOWN" });
  const knownId = await known.enrol();
  const office = String((await site.must("/collections", "POST", { name: "Office", members: [knownId], variables: [{ name: "OSDTimeZone", value: "UTC" }] }))["id"]);
  const toUnknown = await deploy();
  const toAll = await deploy({ collectionId: allSystems });
  const toOffice = await deploy({ collectionId: office });
  const toDevice = await deploy({ collectionId: undefined, deviceId });
  assert.deepEqual((await offered()).ids, [toUnknown, toAll, toDevice]);
  assert.deepEqual((await offered({}, known)).ids, [toAll, toOffice]);
  const { selected } = await known.policy({ deploymentId: toOffice });
  assert.deepEqual(selected?.variables, [{ name: "OSDTimeZone", value: "UTC", source: "collection" }, { name: "OSDComputerName", value: "KNOWN-1", source: "device" }]);
  for (const id of [toUnknown, toAll, toOffice, toDevice]) await site.must(`/deployments/${id}`, "PATCH", { enabled: false });
});

test("the policy is for this device's key, numbered upwards, issued now, and carries the sequence it names", async () => {
  const id = await deploy();
  const started = Date.now();
  const answers: Answer[] = [];
  for (let i = 0; i < 3; i++) answers.push(await device.post(managementPointPaths.policy, { mediaId: media, deploymentId: id }));
  const policies = answers.map((answer) => policySchema.parse(JSON.parse(verifyDocument("policy", Buffer.from(String(answer.json["policy"]), "base64"), site.context.keys.keyring.roles.policy).toString())));
  for (const [i, policy] of policies.entries()) {
    assert.deepEqual([policy.deviceKeyId, policy.deviceId, policy.deviceName, policy.keyringVersion], [device.key.keyId, deviceId, "UNKNOWN-1", 1]);
    assert.ok(i === 0 || policy.number === (policies[i - 1]?.number ?? 0) + 1);
    assert.ok(Date.parse(policy.issued) >= started - 1000 && Date.parse(policy.expires) > Date.parse(policy.issued));
  }
  const payload = verifyDocument("task-sequence", Buffer.from(String(answers[0]?.json["taskSequence"]), "base64"), site.context.keys.keyring.roles.policy);
  assert.equal(createHash("sha256").update(payload).digest("hex"), policies[0]?.selected?.taskSequence.sha256);
  assert.throws(() => verifyDocument("policy", Buffer.from(String(answers[0]?.json["policy"]), "base64"), site.context.keys.keyring.roles.media), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  await site.must(`/deployments/${id}`, "PATCH", { enabled: false });
});

test("requests at the same moment get different numbers", async () => {
  const numbers = await Promise.all(Array.from({ length: 8 }, async () => (await device.policy()).number));
  assert.equal(new Set(numbers).size, 8);
});

test("the policy names the earlier versions a computer need not ask about: nothing of them is in the newest", async () => {
  const source = join(folder, "packed");
  await mkdir(source, { recursive: true });
  const add = async (bytes: Buffer) => {
    await writeFile(join(source, "program"), bytes);
    const job = await site.job("/imports", { kind: "package", name: "Packed inside", source, definition: { kind: "package", programs: [{ name: "Run", command: "true" }] } });
    assert.equal(job.state, "succeeded", JSON.stringify(job.error));
    return job.result?.["object"] as { id: string; contentId: string };
  };
  const [first, like] = [randomBytes(400_000), randomBytes(400_000)];
  const [one, two] = [await add(first), await add(like)];
  await add(Buffer.concat([like.subarray(0, 300_000), randomBytes(100_000)]));
  const id = await deploy({ taskSequenceId: String((await site.must("/task-sequences", "POST", { yaml: `name: Packed\nsteps:\n  - { name: Packed, type: install-package, with: { package: ${one.id}, program: Run } }\n` }))["id"]) });
  const { selected } = await device.policy({ deploymentId: id });
  assert.deepEqual(selected?.content.map((content) => [content.earlierContentIds, content.unlikeContentIds]), [[[two.contentId, one.contentId], [one.contentId]]]);
});

test("the policy fixes the newest versions, with dependencies and earlier versions; content URLs are given for these alone", async () => {
  const source = join(folder, "tool");
  await mkdir(source, { recursive: true });
  const definition = { kind: "application", installCommand: "true", detection: [{ type: "command", command: "true" }] };
  const add = async (name: string, text: string, change: object = {}) => {
    await writeFile(join(source, "file"), text);
    const job = await site.job("/imports", { kind: "application", name, source, definition: { ...definition, ...change } });
    assert.equal(job.state, "succeeded", JSON.stringify(job.error));
    return job.result?.["object"] as { id: string; contentId: string; revision: number };
  };
  const library = await add("Library", "library");
  const first = await add("Tool", "one", { dependencies: [library.id] });
  const unrelated = await add("Unrelated", "unrelated");
  const yaml = `name: Software\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${first.id} } }\n`;
  const id = await deploy({ taskSequenceId: String((await site.must("/task-sequences", "POST", { yaml }))["id"]) });
  const second = await add("Tool", "two", { dependencies: [library.id] });
  assert.deepEqual([second.id, second.revision], [first.id, 2]);
  const { selected } = await device.policy({ deploymentId: id });
  assert.deepEqual(selected?.content.map((one) => [one.objectId, one.revision, one.contentId, one.earlierContentIds]), [[library.id, 1, library.contentId, []], [first.id, 2, second.contentId, [first.contentId]]]);
  for (const content of selected?.content ?? []) {
    const version = await site.context.library.open(content.contentId);
    assert.deepEqual([content.storageSha256, content.storedBytes], [version.storageSha256, version.storedBytes]);
  }
  const urls = await device.post(managementPointPaths.contentUrls, { contentIds: [second.contentId, library.contentId, unrelated.contentId, first.contentId] });
  assert.deepEqual(Object.keys(urls.json["queries"] as unknown as object).toSorted(), [second.contentId, library.contentId].toSorted());
  const queries = urls.json["queries"] as unknown as Record<string, Record<string, string>>;
  const index = await site.call(`/content/${second.contentId}/index.json?${queries[second.contentId]?.["index.json"]}`);
  assert.equal(createHash("sha256").update(index.body).digest("hex"), second.contentId);
});

test("a sequence with a dynamic list is given what the device's variables name, and what supersedes brings what it replaces", async () => {
  const source = join(folder, "listed");
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "file"), "x");
  const definition = { kind: "application", installCommand: "true", detection: [{ type: "registry", key: "HKLM\\SOFTWARE\\Tool" }] };
  const add = async (name: string, change: object = {}) => {
    const job = await site.job("/imports", { kind: "application", name, source, definition: { ...definition, ...change } });
    assert.equal(job.state, "succeeded", JSON.stringify(job.error));
    return (job.result?.["object"] as { id: string } | undefined)?.id ?? "";
  };
  const old = await add("Old");
  const listed = await add("Listed", { supersedes: [old], requirement: { variable: "Role", equals: "desk" } });
  const other = await add("Of another list");
  const yaml = "name: Listed\nsteps:\n  - { name: List, type: install-application, with: { baseVariable: Apps } }\n  - { name: Off, type: install-application, with: { baseVariable: Off }, disabled: true }\n";
  const id = await deploy({ taskSequenceId: String((await site.must("/task-sequences", "POST", { yaml }))["id"]) });
  const variables = [["apps01", listed], ["Apps02", "ABC0FFFF"], ["AppsX1", other], ["Off01", other]].map(([name, value]) => ({ name, value }));
  await site.must(`/devices/${deviceId}`, "PATCH", { variables });
  const { selected } = await device.policy({ deploymentId: id });
  assert.deepEqual(selected?.content.map((one) => one.objectId), [old, listed].toSorted());
});
