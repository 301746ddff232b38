import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { LocalCache } from "../cache/local-cache.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { openWimFile } from "@prestage/wim";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder, importImage } from "../import/import-content.ts";
import { runWimlib } from "../import/wimlib.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { fetchVersion } from "./fetch-version.ts";
import { planOnPaper } from "./plan-on-paper.ts";
import { isRelated } from "./unlike-version.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
let made = 0;
const version = async (files: Record<string, Buffer | string>) => importFolder(library, await writeTree(join(folder, `tree-${made++}`), files));
/** An OS image of these files, compressed. */
const image = async (files: Record<string, Buffer | string>) => {
  const wim = join(folder, `image-${made}.wim`);
  await runWimlib(["capture", await writeTree(join(folder, `tree-${made++}`), files), wim, "os", "--compress=LZX", "--unix-data"]);
  return importImage(library, wim, [1]);
};

/** What a computer that holds `held` - of other content - fetches of `wanted`; its files are right afterwards. */
async function fetched(held: readonly StoredVersion[], wanted: StoredVersion, related: readonly string[], change: (cache: LocalCache) => Promise<void> = async () => {}): Promise<number> {
  const cache = new LocalCache(join(folder, `cache-${made++}`));
  for (const one of held) await fetchVersion(cache, [httpSource(point.url)], { ...one, earlierContentIds: [] });
  await change(cache);
  point.ranges.length = 0;
  const { bytes } = await fetchVersion(cache, [httpSource(point.url)], { ...wanted, earlierContentIds: [], relatedContentIds: related });
  assert.equal((await cache.ask(wanted.contentId, wanted.index, [])).state, "hit");
  assert.equal(point.ranges.reduce((sum, range) => sum + range.sent, 0), bytes);
  return bytes;
}

/** Told by the site that it is related, the computer finds parts of `wanted` in `held`, as the plan on paper foretells; untold it asks for nothing. */
async function comesByChunks(held: StoredVersion, wanted: StoredVersion): Promise<void> {
  const told = await fetched([held], wanted, [held.contentId]);
  const untold = await fetched([held], wanted, []);
  const plan = await planOnPaper(library, wanted.contentId, [], [], 1, [held.contentId]);
  assert.equal(told, plan.bytes + plan.described);
  assert.deepEqual(plan.ways.map(({ way }) => way), ["chunks"]);
  assert.ok(told < untold / 2, `${told} of ${untold}`);
  assert.ok(untold <= plan.full);
}

test("a file that lies on the disk with other content is not fetched, whatever its name; a damaged one is", async () => {
  const runtime = noise(700_000, 1);
  const [held, wanted] = [await version({ "bin/runtime.dll": runtime, "a.txt": "one" }), await version({ "lib/renamed.dll": runtime, "b.txt": "two" })];
  const bytes = await fetched([held], wanted, []);
  const plan = await planOnPaper(library, wanted.contentId, [], [], 1, [held.contentId]);
  assert.equal(bytes, plan.bytes + plan.described);
  assert.ok(bytes < 3000, `${bytes}`);
  assert.equal(plan.state, "missing");
  const damaged = await fetched([held], wanted, [], async (cache) => {
    const path = cache.filePath(held.contentId, "bin/runtime.dll");
    const at = await readFile(path);
    at[500_000] = (at[500_000] ?? 0) ^ 1;
    await writeFile(path, at);
  });
  assert.ok(damaged > 700_000, "it is missing, and no chunk list was worth asking for");
});

test("parts of a file that other content has are found again where the site says so, as the plan on paper foretells", async () => {
  const program = halfNoise(2_000_000, 2);
  const [held, wanted] = [await version({ "suite/program.bin": program, more: "x" }), await version({ "program.bin": Buffer.concat([program.subarray(0, 1_200_000), halfNoise(300_000, 3)]) })];
  assert.equal(await isRelated(wanted, held), true);
  await comesByChunks(held, wanted);
});

test("other content of the same names and of nothing in common is not said to be related: nothing is asked about it", async () => {
  const [held, wanted] = [await version({ "setup.exe": noise(900_000, 4) }), await version({ "setup.exe": noise(900_000, 5) })];
  assert.equal(await isRelated(wanted, held), false);
  assert.equal(await isRelated(wanted, await version({ other: noise(900_000, 5) })), false, "the whole file is found without any list");
  const plan = await planOnPaper(library, wanted.contentId, [], [], 1, [held.contentId]);
  const bytes = await fetched([held], wanted, []);
  assert.equal(bytes, plan.bytes + plan.described);
  assert.ok(bytes <= plan.full);
});

test("a file inside an OS image of the disk is taken from there, whatever its name and size; where the image is damaged it is fetched", async () => {
  const [library_, settings] = [noise(400_000, 6), noise(5_000, 7)];
  const held = await image({ "usr/lib/libssl.so": library_, "etc/settings": settings });
  const wanted = await version({ "lib/ssl.dll": library_, "copy/ssl.dll": library_, "small.cfg": settings });
  const plan = await planOnPaper(library, wanted.contentId, [], [], 1, [held.contentId]);
  const bytes = await fetched([held], wanted, []);
  assert.equal(bytes, plan.bytes + plan.described);
  assert.equal(plan.bytes, 0);
  const damaged = await fetched([held], wanted, [], async (cache) => {
    const path = cache.filePath(held.contentId, "image.wim");
    const wim = await openWimFile(path);
    const largest = [...wim.blobs.values()].map(({ resource }) => resource).toSorted((a, b) => b.size - a.size)[0]!;
    await wim.close();
    const at = await readFile(path);
    at[largest.offset + 200_000] = (at[largest.offset + 200_000] ?? 0) ^ 1;
    await writeFile(path, at);
  });
  assert.ok(damaged > 400_000 && damaged < 410_000, `the damaged one alone: ${damaged}`);
});

test("parts of a file that lie inside an OS image are found again where the site says so, as the plan on paper foretells", async () => {
  const program = halfNoise(2_000_000, 8);
  const held = await image({ "opt/suite/program.bin": program, "etc/hosts": "x" });
  const wanted = await version({ "program.bin": Buffer.concat([program.subarray(0, 1_200_000), halfNoise(300_000, 9)]) });
  assert.equal(await isRelated(wanted, held), true);
  assert.equal(await isRelated(wanted, await image({ "program.bin": halfNoise(2_000_000, 10) })), false);
  await comesByChunks(held, wanted);
});
