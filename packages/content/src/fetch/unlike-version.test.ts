import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { LocalCache } from "../cache/local-cache.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { fetchVersion } from "./fetch-version.ts";
import { planOnPaper } from "./plan-on-paper.ts";
import { isUnlike } from "./unlike-version.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
let trees = 0;
const version = async (files: Record<string, Buffer | string>) => importFolder(library, await writeTree(join(folder, `tree-${trees++}`), files));
const program = halfNoise(900_000, 1);

/** What a computer that holds `older` fetches of `newer`, and the names of the files it asks for. */
async function fetched(older: StoredVersion, newer: StoredVersion, unlikeContentIds: readonly string[]): Promise<{ bytes: number; files: Set<string> }> {
  const cache = new LocalCache(join(folder, `cache-${trees++}`));
  await fetchVersion(cache, [httpSource(point.url)], { ...older, earlierContentIds: [] });
  point.ranges.length = 0;
  const { bytes } = await fetchVersion(cache, [httpSource(point.url)], { ...newer, earlierContentIds: [older.contentId], unlikeContentIds });
  assert.equal((await cache.ask(newer.contentId, newer.index, [])).state, "hit");
  assert.equal(point.ranges.reduce((sum, range) => sum + range.sent, 0), bytes);
  return { bytes, files: new Set(point.ranges.map(({ file }) => file)) };
}

test("of a version nothing of which is known no chunk list is asked for: it costs no more than it costs whole", async () => {
  const [older, newer] = [await version({ program, "note.txt": "one" }), await version({ program: halfNoise(900_000, 2), "note.txt": "two" })];
  assert.equal(await isUnlike(newer, older, false), true);
  assert.equal(await isUnlike(newer, older, true), true);
  const told = await fetched(older, newer, [older.contentId]);
  const plan = await planOnPaper(library, newer.contentId, [older.contentId]);
  assert.equal(told.bytes, plan.bytes + plan.described);
  assert.ok(told.bytes <= plan.full, `${told.bytes} of ${plan.full}`);
  assert.ok(!told.files.has("chunks.bin"));
  const untold = await fetched(older, newer, []);
  assert.ok(untold.bytes > told.bytes && untold.files.has("chunks.bin"), "without being told it asks");
});

test("one chunk of many is not worth the lists; half of them are, and so is what pieces may find more of", async () => {
  const older = await version({ program });
  const few = Buffer.concat([program.subarray(0, 30_000), halfNoise(870_000, 3)]);
  assert.equal(await isUnlike(await version({ program: few }), older, false), true);
  assert.equal(await isUnlike(await version({ program: Buffer.concat([program.subarray(0, 450_000), halfNoise(450_000, 4)]) }), older, false), false);
  // An edit every 12 kB: many chunks are known, and no stored one is free of an edit.
  const edited = Buffer.concat(Array.from({ length: 75 }, (_, i) => Buffer.concat([program.subarray(i * 12_000, (i + 1) * 12_000), randomBytes(6)])));
  const newer = await version({ program: edited });
  assert.equal(await isUnlike(newer, older, true), false);
  assert.equal(await isUnlike(newer, older, false), true);
});

test("a file that is begun, or damaged where it lies, is mended by its chunks all the same", async () => {
  const [older, newer] = [await version({ program, "note.txt": "three" }), await version({ program: halfNoise(900_000, 5), "note.txt": "four" })];
  const cache = new LocalCache(join(folder, "begun"));
  await fetchVersion(cache, [httpSource(point.url)], { ...older, earlierContentIds: [] });
  const wanted = { ...newer, earlierContentIds: [older.contentId], unlikeContentIds: [older.contentId] };
  await fetchVersion(cache, [httpSource(point.url)], wanted);
  const handle = await open(cache.filePath(newer.contentId, "program"), "r+");
  await handle.write(Buffer.from([0x55, 0xaa]), 0, 2, 400_000);
  await handle.close();
  const { bytes } = await fetchVersion(cache, [httpSource(point.url)], wanted);
  assert.ok(bytes < 100_000, `${bytes} bytes`);
});

test("where one version is worth its lists, what another that is not has is found too, as the plan on paper foretells", async () => {
  const program = halfNoise(1_000_000, 6);
  const [unlike, like] = [await version({ program: Buffer.concat([halfNoise(700_000, 7), program.subarray(940_000)]), "u.txt": "u" }), await version({ program: program.subarray(0, 850_000), "l.txt": "l" })];
  const newer = await version({ program, other: noise(9_000_000, 8) });
  assert.deepEqual([await isUnlike(newer, unlike, false), await isUnlike(newer, like, false)], [true, false]);
  const cache = new LocalCache(join(folder, "both"));
  for (const older of [unlike, like]) await fetchVersion(cache, [httpSource(point.url)], { ...older, earlierContentIds: [] });
  const earlierContentIds = [like.contentId, unlike.contentId];
  const told = await fetchVersion(cache, [httpSource(point.url)], { ...newer, earlierContentIds, unlikeContentIds: [unlike.contentId] });
  const [plan, without] = [await planOnPaper(library, newer.contentId, earlierContentIds), await planOnPaper(library, newer.contentId, [like.contentId])];
  assert.equal(told.bytes, plan.bytes + plan.described);
  assert.ok(plan.bytes < without.bytes, "it has some of it");
});
