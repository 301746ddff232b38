import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ContentPlan, Job, PatchRecord } from "@prestage/contract";
import { managementPointPaths } from "@prestage/contract";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const media = await registerMedia(site, "a".repeat(64));
const program = randomBytes(400_000);

async function importTool(bytes: Buffer): Promise<{ id: string; contentId: string }> {
  const source = join(folder, "tool");
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "program"), bytes);
  const job = await site.job("/imports", { kind: "application", name: "Tool", source, definition: { kind: "application", installCommand: "true", detection: [{ type: "command", command: "true" }] } });
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  return job.result?.["object"] as { id: string; contentId: string };
}
const wanted = async () => (await site.must("/patches")) as unknown as PatchRecord[];
const make = () => site.job("/patches", undefined);
const patchFilesOf = async (contentId: string) => (await readdir(site.context.library.folderOf(contentId))).filter((name) => name.startsWith("patch-"));

test("patches are made from the version on a media to the newest, offered in the signed policy, served behind signed URLs, and dropped when no media needs them", async () => {
  const first = await importTool(program);
  const changed = Buffer.from(program);
  changed.fill(7, 200_000, 200_100);
  const second = await importTool(changed);
  assert.deepEqual(await wanted(), [], "no media carries it");
  const { manifest } = await site.context.db.selectFrom("media").select("manifest").where("media_id", "=", media).executeTakeFirstOrThrow();
  const content = [{ objectId: first.id, kind: "application", name: "Tool", revision: 1, contentId: first.contentId }];
  await site.context.db.updateTable("media").set({ manifest: JSON.stringify({ ...manifest, content }) }).where("media_id", "=", media).execute();
  assert.deepEqual((await wanted()).map(({ bytes, ...pair }) => ({ ...pair, made: bytes !== null })), [{ objectId: first.id, name: "Tool", from: first.contentId, to: second.contentId, made: false }]);
  const { configuration } = site.context;
  const space = configuration.patchSpaceBytes;
  configuration.patchSpaceBytes = 10;
  const tooLittle = await make();
  assert.deepEqual([tooLittle.state, tooLittle.result?.["made"], await patchFilesOf(second.contentId)], ["succeeded", 0, []]);
  assert.match(String(tooLittle.result?.["failed"]), /Tool: Expected the patches to this version to fit in 10 bytes/);
  assert.match(String((await make()).result?.["failed"]), /did not fit in 10 bytes when they were made last/, "all that work is not done again for nothing");
  configuration.patchSpaceBytes = space;
  const job: Job = await make();
  assert.deepEqual([job.state, job.result?.["made"], job.result?.["failed"]], ["succeeded", 1, []]);
  const [patch] = await wanted();
  assert.ok((patch?.bytes ?? Infinity) < 2000, `${patch?.bytes} bytes for a change of 100`);

  const sequence = await site.must("/task-sequences", "POST", { yaml: `name: Plan\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${first.id} } }\n` });
  const [plan] = (await site.must(`/media/${media}/plan?taskSequence=${String(sequence["id"])}`)) as unknown as ContentPlan[];
  assert.deepEqual([plan?.state, plan?.ways.map((way) => [way.paths, way.way, way.bytes])], ["revised", [[["program"], "patch", patch?.bytes]]]);
  assert.ok((plan?.full ?? 0) > 400_000);

  const device = new TestDevice(site, media);
  const deviceId = await device.enrol();
  const yaml = `name: One\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${first.id} } }\n`;
  const taskSequenceId = (await site.must("/task-sequences", "POST", { yaml }))["id"];
  const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "available", makeAvailableTo: "MediaAndPxe" }))["id"]);
  const { selected } = await device.policy({ deploymentId });
  const [offer] = selected?.content[0]?.patches ?? [];
  assert.equal(offer?.from, first.contentId);
  const urls = await device.post(managementPointPaths.contentUrls, { contentIds: [second.contentId] });
  const queries = (urls.json["queries"] as unknown as Record<string, Record<string, string>>)[second.contentId] ?? {};
  const list = await site.call(`/content/${second.contentId}/patch-${first.contentId}.json.zst?${queries[`patch-${first.contentId}.json.zst`]}`);
  assert.deepEqual([list.status, createHash("sha256").update(list.body).digest("hex"), list.body.length], [200, offer?.indexSha256, offer?.indexBytes]);
  assert.equal((await site.call(`/content/${second.contentId}/patch-${first.contentId}.bin?${queries[`patch-${first.contentId}.bin`]}`)).body.length, offer?.bytes);
  assert.equal((await site.call(`/content/${second.contentId}/patch-${first.contentId}.bin`)).status, 403, "not without a signed URL");
  assert.equal((await site.call(`/content/${second.contentId}/patch-..%2f..%2fsite.json.zst?${queries["content.wim"]}`)).status, 400);

  assert.equal((await patchFilesOf(second.contentId)).length, 2);
  await site.must(`/media/${media}/revoke`, "POST", {});
  assert.equal((await make()).state, "succeeded");
  assert.deepEqual([await wanted(), await patchFilesOf(second.contentId)], [[], []]);
  assert.equal((await device.policy({ deploymentId }).catch(() => undefined))?.selected?.content[0]?.patches, undefined);
});

test("without patches a pack of pieces of the newest version is made in the background, offered and served as patches are, and dropped with the rest", async () => {
  const { configuration } = site.context;
  configuration.patches = false;
  const carrier = await registerMedia(site, "b".repeat(64));
  const text = Buffer.from(randomBytes(200_000).toString("hex"));
  const { id, contentId } = await importTool(text);
  const { manifest } = await site.context.db.selectFrom("media").select("manifest").where("media_id", "=", carrier).executeTakeFirstOrThrow();
  const content = [{ objectId: id, kind: "application", name: "Tool", revision: 3, contentId }];
  await site.context.db.updateTable("media").set({ manifest: JSON.stringify({ ...manifest, content }) }).where("media_id", "=", carrier).execute();
  // A byte every 20 kB: every stored chunk is another, most chunks are not.
  const changed = Buffer.from(text);
  for (let at = 0; at < changed.length; at += 20_000) changed[at] = changed[at]! ^ 1;
  const newest = (await importTool(changed)).contentId;
  const packOf = async () => (await wanted()).find((pair) => pair.from === pair.to);
  while ((await packOf())?.bytes === null) await new Promise((resolve) => setImmediate(resolve));
  const pack = await packOf();
  assert.deepEqual([pack?.objectId, pack?.to, (await wanted()).length], [id, newest, 2], "the pair has no patches");
  assert.ok((pack?.bytes ?? 0) > 200_000 && (pack?.bytes ?? 0) < 260_000, `${pack?.bytes}`);
  assert.deepEqual((await patchFilesOf(newest)).sort(), [`patch-${newest}.bin`, `patch-${newest}.json.zst`]);

  const yaml = `name: Pieces\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${id} } }\n`;
  const taskSequenceId = (await site.must("/task-sequences", "POST", { yaml }))["id"];
  const [plan] = (await site.must(`/media/${carrier}/plan?taskSequence=${String(taskSequenceId)}`)) as unknown as ContentPlan[];
  const [way] = plan?.ways ?? [];
  assert.deepEqual([plan?.state, plan?.ways.length, way?.way], ["revised", 1, "pieces"]);
  assert.ok((way?.bytes ?? Infinity) < 20_000, `${way?.bytes} bytes for 20 changes`);

  const device = new TestDevice(site, carrier);
  const deviceId = await device.enrol();
  const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "available", makeAvailableTo: "MediaAndPxe" }))["id"]);
  const { selected } = await device.policy({ deploymentId });
  const offer = selected?.content[0]?.patches?.find(({ from }) => from === newest);
  assert.equal(offer?.bytes, pack?.bytes);
  const urls = await device.post(managementPointPaths.contentUrls, { contentIds: [newest] });
  const queries = (urls.json["queries"] as unknown as Record<string, Record<string, string>>)[newest] ?? {};
  const header = await site.call(`/content/${newest}/patch-${newest}.json.zst?${queries[`patch-${newest}.json.zst`]}`);
  assert.equal(createHash("sha256").update(header.body).digest("hex"), offer?.indexSha256);
  assert.equal((await site.call(`/content/${newest}/patch-${newest}.bin?${queries[`patch-${newest}.bin`]}`)).body.length, offer?.bytes);

  configuration.patches = true;
  assert.deepEqual([(await make()).state, (await wanted()).map(({ from }) => from)], ["succeeded", [contentId]], "patches are less, and make it needless");
  assert.equal((await make()).result?.["removed"], 1, "the pack");
  assert.ok(!(await patchFilesOf(newest)).includes(`patch-${newest}.bin`));
  configuration.patches = false;
  configuration.pieces = false;
  await site.must(`/media/${carrier}/revoke`, "POST", {});
  assert.deepEqual([(await make()).state, await wanted(), await patchFilesOf(newest)], ["succeeded", [], []]);
});
