import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { LocalCache } from "../cache/local-cache.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { fetchVersion } from "../fetch/fetch-version.ts";
import type { FetchVersionOptions, PlannedVersion } from "../fetch/fetch-version.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { makePatches } from "./make-patches.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const [point, other] = [await TestDistributionPoint.start(library), await TestDistributionPoint.start(library)];
const count = 60;
let older: StoredVersion;
let newer: StoredVersion;
let offered: OfferedPatches;
const name = (i: number) => `folder-${i % 7}/file-${i}.bin`;

before(async () => {
  const files = (revised: boolean) => Object.fromEntries(Array.from({ length: count }, (_, i) => {
    const bytes = halfNoise(30_000, i + 1);
    if (revised) bytes.write(`revised ${i}`, 9000 + i * 100);
    return [name(i), bytes];
  }));
  older = await importFolder(library, await writeTree(join(folder, "one"), files(false)));
  newer = await importFolder(library, await writeTree(join(folder, "two"), files(true)));
  offered = await makePatches(library, older.contentId, newer.contentId, { level: 3 });
});

let caches = 0;
async function withOlder(): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [httpSource(point.url)], { ...older, earlierContentIds: [] });
  for (const one of [point, other]) one.ranges.length = 0;
  return cache;
}
const wanted = () => ({ ...newer, earlierContentIds: [older.contentId], patches: [offered] });
const quick: FetchVersionOptions = { rounds: 1, waitSeconds: () => 0 };
const patchRanges = (from = point) => from.ranges.filter(({ file }) => file.startsWith("patch-") && file.endsWith(".bin"));
async function isWhole(cache: LocalCache): Promise<void> {
  assert.equal((await cache.ask(newer.contentId, newer.index, [])).state, "hit");
  assert.deepEqual(await readFile(cache.filePath(newer.contentId, name(17))), await readFile(join(folder, "two", name(17))));
}

test("the patches of many files that lie one after the other are fetched by one request, as the plan says", async () => {
  const cache = await withOlder();
  const plans: PlannedVersion[] = [];
  const { bytes } = await fetchVersion(cache, [httpSource(point.url)], wanted(), { ...quick, onPlanned: (planned) => void plans.push(planned) });
  await isWhole(cache);
  assert.deepEqual([plans.length, plans[0]?.plan.patches.length, plans[0]?.plan.requests, patchRanges().length], [1, count, 1, 1]);
  assert.equal(patchRanges()[0]?.sent, plans[0]?.plan.bytes);
  assert.equal(bytes, point.ranges.reduce((sum, { sent }) => sum + sent, 0));
});

test("cut off in the middle, what was made is not fetched again", async () => {
  const cache = await withOlder();
  const stop = new AbortController();
  point.misbehave = (file, bytes) => (file.startsWith("patch-") && file.endsWith(".bin") ? { cutAfter: bytes.length >> 1 } : undefined);
  await assert.rejects(fetchVersion(cache, [httpSource(point.url)], wanted(), { ...quick, rounds: 2, signal: stop.signal, onSourceFailed: () => stop.abort(new Error("power")) }), /power/);
  point.misbehave = () => undefined;
  point.ranges.length = 0;
  await fetchVersion(cache, [httpSource(point.url)], wanted(), quick);
  await isWhole(cache);
  const sent = patchRanges().reduce((sum, range) => sum + range.sent, 0);
  assert.ok(sent > 0 && sent < offered.bytes * 0.6, `${sent} of ${offered.bytes}`);
});

test("wrong bytes in the middle: that patch comes from the next distribution point, and the rest follows there", async () => {
  const cache = await withOlder();
  point.misbehave = (file, bytes) => {
    if (!file.startsWith("patch-") || !file.endsWith(".bin")) return undefined;
    const send = Buffer.from(bytes);
    send.fill(0xff, send.length >> 1, (send.length >> 1) + 40);
    return { send };
  };
  const failed: string[] = [];
  await fetchVersion(cache, [point, other].map(({ url }) => httpSource(url)), wanted(), { ...quick, onSourceFailed: ({ reason }) => void failed.push(reason) });
  point.misbehave = () => undefined;
  await isWhole(cache);
  assert.equal(failed.length, 1);
  assert.match(failed[0] ?? "", /^the patch of ".*" gives other bytes$/);
  assert.deepEqual([patchRanges(point).length, patchRanges(other).length], [1, 1]);
  assert.ok((patchRanges(other)[0]?.start ?? 0) > offered.bytes * 0.4, "what came before it stays");
});
