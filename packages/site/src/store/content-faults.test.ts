import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ContentFault, DistributionStatus } from "@prestage/contract";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { keepStatus, setDistributionPoint } from "./distribution-points.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const { db } = site.context;
const [near, far, own] = ["https://near.example.org/", "https://far.example.org", site.context.publicUrls()[0] ?? ""];

async function imported(name: string, confidential = false): Promise<{ id: string; contentId: string }> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, "file"), name);
  const job = await site.job("/imports", { kind: "package", name, source: join(folder, name), confidential, definition: { kind: "package", programs: [] } });
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  return job.result?.["object"] as { id: string; contentId: string };
}
const keep = (url: string, contentId: string, state: DistributionStatus["state"]) => keepStatus(db, { url, contentId, state, faults: state === "whole" ? [] : ["content.wim is not there"], full: false, checked: new Date("2026-11-23T08:00:00Z") });
const faults = async () => (await site.admin("/content/faults")).json as unknown as ContentFault[];

test("content that is whole at no distribution point is told; one whole, silent or never validated is enough not to", async () => {
  const { id, contentId } = await imported("Tool");
  await setDistributionPoint(db, { url: near, order: 1 });
  await setDistributionPoint(db, { url: far, order: 2 });
  assert.deepEqual(await faults(), [], "nothing was validated");
  await keep(near, contentId, "missing");
  assert.deepEqual(await faults(), [], "of the other nothing is known");
  await keep(far.replace(/$/, "/"), contentId, "damaged");
  assert.deepEqual(await faults(), [{ objectId: id, contentId, kind: "nowhere", fault: `missing at ${near} (content.wim is not there), damaged at ${far}/ (content.wim is not there)`, checked: "2026-11-23T08:00:00.000Z" }]);
  for (const state of ["whole", "unreachable"] as const) {
    await keep(near, contentId, state);
    assert.deepEqual(await faults(), [], state);
  }
});

test("confidential content is looked for at the site's own alone", async () => {
  const { id, contentId } = await imported("Secret", true);
  await setDistributionPoint(db, { url: own, order: 3 });
  for (const url of [near, far]) await keep(url, contentId, "whole");
  assert.deepEqual(await faults(), []);
  await keep(own, contentId, "damaged");
  assert.deepEqual((await faults()).map(({ objectId, kind }) => [objectId, kind]), [[id, "nowhere"]]);
});

test("what the library's validation found is told until the version is imported again", async () => {
  const { id, contentId } = await imported("Driver");
  const result = JSON.stringify({ versions: 1, bytes: 1, faults: [{ contentId, file: "content.wim", fault: "it is cut short" }, { contentId, file: "index.json", fault: "it is gone" }] });
  await db.insertInto("job").values({ kind: "validate", state: "succeeded", result }).execute();
  const found = async () => (await faults()).filter(({ objectId }) => objectId === id).map(({ kind, fault }) => [kind, fault]);
  assert.deepEqual(await found(), [["damaged", "content.wim: it is cut short"]]);
  await site.job("/imports", { kind: "package", name: "Driver", source: join(folder, "Driver"), definition: { kind: "package", programs: [] } });
  assert.deepEqual(await found(), []);
});
