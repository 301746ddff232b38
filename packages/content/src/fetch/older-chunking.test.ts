import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { fetchVersion } from "./fetch-version.ts";
import { planOnPaper } from "./plan-on-paper.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { asImportedBefore } from "../fixtures/older-chunking.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { filesToPublish } from "../library/publish-version.ts";
import { validateVersion } from "../library/validate-version.ts";
import { LocalCache } from "../cache/local-cache.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const source = httpSource(point.url);
const quick = { rounds: 2, waitSeconds: () => 0 };

const program = noise(1_000_000, 5);
const changed = Buffer.from(program);
changed.fill(7, 300_000, 300_010);
// A file the older chunking does not cut at all.
const small = noise(150_000, 6);
const smallChanged = Buffer.concat([small.subarray(0, 20_000), Buffer.from("inserted"), small.subarray(20_000)]);
const newFiles: Record<string, Buffer> = { "bin/program": changed, "lib/small": smallChanged };
let older: StoredVersion;
let before_: StoredVersion;
let newer: StoredVersion;

before(async () => {
  older = await importFolder(library, await writeTree(join(folder, "old"), { "bin/program": program, "lib/small": small }));
  before_ = await asImportedBefore(library, older);
  newer = await importFolder(library, await writeTree(join(folder, "new"), newFiles));
});

async function fetched(from: StoredVersion, to: StoredVersion, cache: string): Promise<number> {
  const local = new LocalCache(join(folder, cache));
  await fetchVersion(local, [source], { ...from, earlierContentIds: [] }, quick);
  const { bytes } = await fetchVersion(local, [source], { ...to, earlierContentIds: [from.contentId] }, quick);
  for (const file of to.index.files) assert.equal((await readFile(local.filePath(to.contentId, file.path))).length, file.size);
  assert.equal((await local.ask(to.contentId, to.index, [])).state, "hit");
  assert.notEqual(await local.readChunks(to.contentId, to.index), undefined, "its own lists are kept");
  return bytes;
}

test("a computer that holds a version cut otherwise cuts its files anew, and fetches no more than one that does not; the plan on paper says so", async () => {
  assert.equal(before_.index.files.find(({ path }) => path === "lib/small")?.chunks, undefined);
  const [same, otherwise] = [await fetched(older, newer, "same"), await fetched(before_, newer, "otherwise")];
  assert.equal(otherwise, same);
  assert.ok(same < 150_000, `${same}`);
  const paper = await planOnPaper(library, newer.contentId, [before_.contentId]);
  assert.equal(paper.bytes + paper.described, same);
});

test("a version of the older chunking is still fetched by chunks, by a computer that holds a newer one too", async () => {
  const bytes = await fetched(newer, before_, "back");
  assert.ok(bytes < 400_000, `${bytes}`);
});

test("an older import has no packed storage map: it is published, validated and fetched without", async () => {
  assert.deepEqual(await validateVersion(before_.folder, before_.contentId, before_.storageSha256), []);
  assert.deepEqual((await filesToPublish(library, before_.contentId)).map(({ name }) => name), ["content.wim", "chunks.bin", "index.json", "index.json.zst", "storage.json"]);
  assert.ok((await filesToPublish(library, newer.contentId)).some(({ name }) => name === "storage.json.zst"));
});
