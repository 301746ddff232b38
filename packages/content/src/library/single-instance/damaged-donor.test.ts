import assert from "node:assert/strict";
import { cp, mkdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../../fixtures/write-tree.ts";
import { importFolder } from "../../import/import-content.ts";
import { ContentLibrary } from "../content-library.ts";
import { validateVersion } from "../validate-version.ts";
import { sharedName } from "./shared-wim.ts";

const old = { "a/tool.bin": halfNoise(2_400_000, 1), "c/rare.bin": noise(1_200_000, 3), readme: Buffer.from("first") };
const middle = { ...old, "b/more.bin": noise(70_000, 4), readme: Buffer.from("second") };
const newest = { "a/tool.bin": old["a/tool.bin"], readme: Buffer.from("third") };
const trees = [old, middle, newest];

const made = await temporaryFolder();
const ids: string[] = [];
for (const [i, tree] of trees.entries()) {
  const version = await importFolder(new ContentLibrary(join(made, "library")), await writeTree(join(made, `tree-${i}`), tree));
  await utimes(join(version.folder, "storage.json"), 1_700_000_000 + i, 1_700_000_000 + i);
  ids.push(version.contentId);
}
const id = (i: number) => ids[i] ?? "";

/** A library as it is after sharing: the newest whole, the oldest referring to both others. */
async function shared(): Promise<ContentLibrary> {
  const root = join(await temporaryFolder(), "library");
  await cp(join(made, "library"), root, { recursive: true, preserveTimestamps: true });
  const library = new ContentLibrary(root);
  assert.deepEqual((await library.share()).shared.toSorted(), [id(0), id(1)].toSorted());
  return library;
}
async function damagedOf(library: ContentLibrary): Promise<number[]> {
  const damaged: number[] = [];
  for (const i of [0, 1, 2]) if ((await library.has(id(i))) && (await validateVersion(library.folderOf(id(i)), id(i), undefined)).length > 0) damaged.push(i);
  return damaged;
}
const importAgain = async (library: ContentLibrary, i: number) => importFolder(library, await writeTree(join(library.root, "..", "again"), trees[i] ?? {}));
async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

test("a donor that is damaged, cut short or gone is imported again, and what refers to it is right again with it", async () => {
  for (const damage of [(path: string) => flip(path, 500_000), (path: string) => truncate(path, 300_000), (path: string) => rm(path)]) {
    const library = await shared();
    await damage(join(library.folderOf(id(2)), "content.wim"));
    assert.deepEqual(await damagedOf(library), [0, 1, 2]);
    await importAgain(library, 2);
    assert.deepEqual(await damagedOf(library), []);
  }
});

test("what a shared version alone had is right again for those that refer to it once it is imported again", async () => {
  const library = await shared();
  await flip(join(library.folderOf(id(1)), "own-1.bin"), 100_000);
  assert.deepEqual(await damagedOf(library), [0, 1]);
  await importAgain(library, 1);
  assert.deepEqual(await damagedOf(library), []);
});

test("a damaged donor nobody needs any more can be removed; of another that is damaged nothing is lost that was right", async () => {
  const library = await shared();
  await truncate(join(library.folderOf(id(2)), "content.wim"), 300_000);
  assert.deepEqual((await library.collect(new Set([id(0), id(1)]), { graceMs: -1 })).removed, [id(2)]);
  await importAgain(library, 0);
  await importAgain(library, 1);
  assert.deepEqual(await damagedOf(library), []);
});

test("a donor stays where it cannot be told who refers to it", async () => {
  const library = await shared();
  const document = join(library.folderOf(id(0)), sharedName);
  const text = await readFile(document);
  await rm(document);
  // Cannot be read, as where the system has no more descriptors or the disk fails.
  await mkdir(document);
  await assert.rejects(library.collect(new Set([id(0), id(1)]), { graceMs: -1 }), { code: "EISDIR" });
  await rm(document, { recursive: true });
  await writeFile(document, text);
  assert.deepEqual(await damagedOf(library), []);
  assert.ok(await library.has(id(2)));
});

test("what others refer to stays, also where the version's own document is damaged", async () => {
  const library = await shared();
  // As where becoming whole was cut off.
  await cp(join(made, "library", "content", id(1), "content.wim"), join(library.folderOf(id(1)), "content.wim"));
  await writeFile(join(library.folderOf(id(1)), sharedName), "{}");
  await library.share({ keepWhole: new Set([id(1)]) });
  assert.deepEqual(await damagedOf(library), []);
});

test("what was written of a file when the process was killed is removed by the next pass", async () => {
  const library = await shared();
  const left = ["content.wim.partial", `${sharedName}.partial`].map((name) => join(library.folderOf(id(0)), name));
  for (const path of left) await writeFile(path, "begun");
  await library.share();
  for (const path of left) await assert.rejects(stat(path), { code: "ENOENT" });
  assert.deepEqual(await damagedOf(library), []);
});

test("a version that an import takes up while its collection waits for its turn stays", async (t) => {
  const library = await shared();
  const now = Date.now;
  let asked = 0;
  // Old when the collection begins, young when its turn comes.
  t.mock.method(Date, "now", () => now() + (asked++ === 0 ? 3_600_000 : 0));
  assert.deepEqual((await library.collect(new Set([id(0), id(1)]))).removed, []);
  assert.ok(asked > 1);
  assert.ok(await library.has(id(2)));
});
