import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fork } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../../fixtures/write-tree.ts";
import { sourceOfFile } from "../../fetch/file-source.ts";
import { importFolder } from "../../import/import-content.ts";
import { makePatches } from "../../patches/make-patches.ts";
import { ContentLibrary } from "../content-library.ts";
import type { StoredVersion } from "../content-library.ts";
import { comparePublished } from "../compare-published.ts";
import type { ReadPublished } from "../compare-published.ts";
import { FolderTarget } from "../publish-version.ts";
import { validateVersion } from "../validate-version.ts";
import { sharedBytes } from "./share-stored.ts";
import { readShared, sharedName, writeShared } from "./shared-wim.ts";
import { openStoredSource, segmentsOf } from "./stored-source.ts";

const oldest = { "a/tool.bin": halfNoise(3_000_000, 1), "b/data.bin": noise(2_000_000, 2), "c/rare.bin": noise(1_500_000, 3), readme: Buffer.from("first") };
const middle = { ...oldest, "b/data.bin": Buffer.concat([oldest["b/data.bin"].subarray(0, 1_000_000), noise(1000, 4), oldest["b/data.bin"].subarray(1_000_000)]), readme: Buffer.from("second") };
const newest = { "a/tool.bin": oldest["a/tool.bin"], "b/data.bin": middle["b/data.bin"], readme: Buffer.from("third") };

let folder = "";
const ids: string[] = [];
const wims: Buffer[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-shared-"));
  const library = new ContentLibrary(join(folder, "library"));
  for (const [i, tree] of [oldest, middle, newest].entries()) {
    const version = await importFolder(library, await writeTree(join(folder, `tree-${i}`), tree));
    await utimes(join(version.folder, "storage.json"), 1_700_000_000 + i, 1_700_000_000 + i);
    ids.push(version.contentId);
    wims.push(await readFile(version.wimPath));
  }
});
after(() => rm(folder, { recursive: true, force: true }));

async function fresh(): Promise<ContentLibrary> {
  const to = join(await temporaryFolder(), "library");
  await cp(join(folder, "library"), to, { recursive: true, preserveTimestamps: true });
  return new ContentLibrary(to);
}
const id = (i: number) => ids[i] ?? "";
async function read(library: ContentLibrary, i: number): Promise<Buffer> {
  const source = await openStoredSource(library.folderOf(id(i)));
  const pieces: Uint8Array[] = [];
  for await (const bytes of sourceOfFile(source)) pieces.push(bytes);
  await source.close();
  return Buffer.concat(pieces);
}
async function assertAllRight(library: ContentLibrary, which: readonly number[] = [0, 1, 2]): Promise<void> {
  for (const i of which) {
    assert.deepEqual(await validateVersion(library.folderOf(id(i)), id(i), undefined), []);
    assert.ok((await read(library, i)).equals(wims[i] ?? Buffer.alloc(0)), `version ${i}`);
    assert.equal((await library.open(id(i))).storedBytes, wims[i]?.length);
  }
}
async function present(library: ContentLibrary): Promise<number[]> {
  const names = await readdir(join(library.root, "content"));
  return [0, 1, 2].filter((i) => names.includes(id(i)));
}
async function spaceOf(library: ContentLibrary): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(join(library.root, "content"), { recursive: true })) {
    const status = await stat(join(library.root, "content", name));
    if (status.isFile()) bytes += status.size;
  }
  return bytes;
}
const isWhole = (library: ContentLibrary, i: number) => stat(join(library.folderOf(id(i)), "content.wim")).then(() => true, () => false);

test("what versions share is stored once: the newest whole, the older refer to whichever newer one has it, and read as before", async () => {
  const library = await fresh();
  const before = await spaceOf(library);
  const { shared, bytes } = await library.share();
  assert.deepEqual(shared.toSorted(), [id(0), id(1)].toSorted());
  assert.deepEqual([await isWhole(library, 0), await isWhole(library, 1), await isWhole(library, 2)], [false, false, true]);
  const saved = before - (await spaceOf(library));
  // tool.bin twice (1.5 MB stored), data.bin once (2 MB), rare.bin, which the newest lacks, once (1.5 MB).
  assert.ok(saved > 6_300_000, `${saved} bytes saved`);
  assert.ok(bytes >= saved);
  assert.equal(await sharedBytes(library.root), bytes);
  await assertAllRight(library);
  assert.deepEqual(await library.share(), { shared: [], bytes: 0 });
  await assertAllRight(library);
});

test("a version that is removed leaves to the others what they have of it", async () => {
  for (const gone of [0, 1, 2]) {
    const library = await fresh();
    await library.share();
    const left = [0, 1, 2].filter((i) => i !== gone);
    assert.deepEqual((await library.collect(new Set(left.map(id)), { graceMs: -1 })).removed, [id(gone)]);
    await assertAllRight(library, left);
    await library.share();
    await assertAllRight(library, left);
  }
});

test("a version is made one file again where its path is needed, held so, and shared again afterwards", async () => {
  const library = await fresh();
  await library.share();
  const held = await library.holdWhole(id(1));
  assert.ok((await readFile((await library.open(id(1))).wimPath)).equals(wims[1] ?? Buffer.alloc(0)));
  assert.deepEqual((await readdir(library.folderOf(id(1)))).filter((name) => name.startsWith("own-") || name === sharedName), []);
  await assertAllRight(library);
  await library.share();
  assert.ok(await isWhole(library, 1));
  held.release();
  await library.share();
  assert.ok(!(await isWhole(library, 1)));
  await assertAllRight(library);
  await library.share({ keepWhole: new Set([id(0)]) });
  assert.ok(await isWhole(library, 0));
  await assertAllRight(library);
});

test("patches are made between shared versions, and a shared one is published whole", async () => {
  const library = await fresh();
  await library.share();
  assert.ok((await makePatches(library, id(0), id(1), { level: 1 })).bytes > 0);
  const tree = join(library.root, "www");
  await new FolderTarget(tree).publish(library, id(0));
  assert.ok((await readFile(join(tree, "content", id(0), "content.wim"))).equals(wims[0] ?? Buffer.alloc(0)));
  // What is published never moves data in the library: another process may do it.
  assert.ok(!(await isWhole(library, 0)));
  assert.equal(await new FolderTarget(tree).publish(library, id(0)), 0);
  const published: ReadPublished = async (name, { start, end }) => {
    const bytes = await readFile(join(tree, "content", id(0), name)).catch(() => undefined);
    return bytes && { total: bytes.length, start, end, bytes: (async function* () { yield bytes.subarray(start, end); })() };
  };
  assert.deepEqual(await comparePublished(library, id(0), published, { full: true }), { state: "whole", faults: [] });
  // By a hard link: stored twice it would take more.
  const third = await fresh();
  await new FolderTarget(join(third.root, "www")).publish(third, id(0));
  assert.deepEqual((await third.share()).shared, [id(1)]);
  assert.ok(await isWhole(third, 0));
});

test("what is damaged is not shared and not hidden: the same fault is found before and after", async () => {
  const library = await fresh();
  const path = join(library.folderOf(id(1)), "content.wim");
  const bytes = await readFile(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const faults = await validateVersion(library.folderOf(id(1)), id(1), undefined);
  assert.equal(faults.length, 1);
  await library.share();
  assert.deepEqual(await validateVersion(library.folderOf(id(1)), id(1), undefined), faults);
  await assertAllRight(library, [0, 2]);
});

test("a damaged version that is imported again takes its place, and what others have of it is not lost", async () => {
  const library = await fresh();
  await library.share();
  const folder = library.folderOf(id(2));
  await truncate(join(folder, "chunks.bin"), 0);
  const again = await importFolder(library, await writeTree(join(library.root, "again"), newest));
  assert.equal(again.contentId, id(2));
  // Its stored bytes are others: the WIM has other times.
  assert.deepEqual(await validateVersion(folder, id(2), undefined), []);
  await assertAllRight(library, [0, 1]);
});

test("a document that lies is refused: files outside the library, gaps, sizes that do not add up", async () => {
  const library = await fresh();
  await library.share();
  const folder = library.folderOf(id(0));
  const good = await readFile(join(folder, sharedName), "utf8");
  const parsed = JSON.parse(good) as { files: string[]; segments: number[][]; size: number };
  for (const bad of [
    { ...parsed, files: parsed.files.map(() => "../../etc/passwd") }, { ...parsed, files: parsed.files.map((name) => `${name}/../content.wim`) }, { ...parsed, segments: parsed.segments.slice(1) },
    { ...parsed, size: parsed.size + 1 }, { ...parsed, segments: [[99, 0, parsed.size]] }, { ...parsed, segments: parsed.segments.map(([file, from]) => [file, from, 0]) }, {},
  ]) {
    await writeFile(join(folder, sharedName), JSON.stringify(bad));
    await assert.rejects(readShared(folder), { code: "PRESTAGE_CONTENT_DAMAGED" });
    assert.equal((await validateVersion(folder, id(0), undefined)).length, 1);
  }
  // Segments beyond the end of a file: found when it is read, not answered with other bytes.
  await writeFile(join(folder, sharedName), JSON.stringify({ ...parsed, segments: parsed.segments.map(([file, , length]) => [file, 2 ** 40, length]) }));
  assert.equal((await validateVersion(folder, id(0), undefined)).length, 1);
});

test("any range of a shared file is what it is in the whole one (property)", () => {
  const segments = fc.array(fc.record({ file: fc.constantFrom("a", "b"), from: fc.nat(1000), length: fc.integer({ min: 1, max: 50 }) }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(segments, fc.nat(), fc.nat(), (parts, a, b) => {
    let at = 0;
    const placed = parts.map((part) => ({ ...part, at: (at += part.length) - part.length }));
    const [offset, end] = [a % (at + 1), b % (at + 1)].sort((x, y) => x - y) as [number, number];
    const whole = placed.flatMap(({ file, from, length }) => Array.from({ length }, (_, i) => `${file}${from + i}`));
    const found = segmentsOf(placed, at, offset, end - offset).flatMap(({ file, from, length }) => Array.from({ length }, (_, i) => `${file}${from + i}`));
    assert.deepEqual(found, whole.slice(offset, end));
  }));
});

test("cut off at any moment, every version is right, and the next pass ends it", async (t) => {
  let cuts = 0;
  const random = mulberry(7);
  for (let round = 0; round < 6; round++) {
    const library = await fresh();
    // Sharing, becoming whole and a removal, one after the other, until it is killed.
    const child = fork(join(import.meta.dirname, "..", "..", "fixtures", "churn-library.ts"), [library.root, id(0), id(1)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    await once(child, "message");
    await delay(random() * 250);
    child.kill("SIGKILL");
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    if (signal === "SIGKILL") cuts++;
    await assertAllRight(library);
    await library.share();
    await assertAllRight(library);
    assert.ok(!(await isWhole(library, 0)));
    assert.deepEqual((await readdir(library.folderOf(id(2)))).filter((name) => name.startsWith("own-")), []);
    await rm(library.root, { recursive: true, force: true });
  }
  assert.ok(cuts > 0);
  t.diagnostic(`${cuts} of 6 killed in the middle`);
});

test("a collection cut off at any moment leaves each version whole or gone, and the others all they had of it; the next one ends it", async (t) => {
  const random = mulberry(11);
  let cuts = 0;
  for (let round = 0; round < 6; round++) {
    const library = await fresh();
    await library.share();
    const child = fork(join(import.meta.dirname, "..", "..", "fixtures", "collect-library.ts"), [library.root, id(0)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    await once(child, "message");
    await delay(random() * 40);
    child.kill("SIGKILL");
    const [, signal] = child.exitCode === null && child.signalCode === null ? ((await once(child, "exit")) as [number | null, string | null]) : [child.exitCode, child.signalCode];
    if (signal === "SIGKILL") cuts++;
    await assertAllRight(library, await present(library));
    assert.ok((await present(library)).includes(0));
    await library.collect(new Set([id(0)]), { graceMs: -1 });
    await library.sweep();
    assert.deepEqual(await present(library), [0]);
    await assertAllRight(library, [0]);
    assert.deepEqual(await readdir(join(library.root, "incoming")), []);
    await rm(library.root, { recursive: true, force: true });
  }
  t.diagnostic(`${cuts} of 6 killed in the middle`);
});

test("what is read while the library is shared and made whole is always the version's bytes", async () => {
  const library = await fresh();
  let done = false;
  const churn = (async () => {
    for (let i = 0; i < 4; i++) {
      await library.share();
      (await library.holdWhole(id(i % 2))).release();
    }
    done = true;
  })();
  let reads = 0;
  while (!done) {
    for (const i of [0, 1]) assert.equal(createHash("sha256").update(await read(library, i)).digest("hex"), createHash("sha256").update(wims[i] ?? "").digest("hex"));
    reads++;
  }
  await churn;
  assert.ok(reads > 0);
});

test("the document is written as it is read", async () => {
  const library = await fresh();
  await library.share();
  const version: StoredVersion = await library.open(id(0));
  const shared = await readShared(version.folder);
  assert.ok(shared !== undefined);
  await writeShared(version.folder, shared);
  assert.deepEqual(await readShared(version.folder), shared);
});

function mulberry(seed: number): () => number {
  const bytes = noise(4096, seed);
  let at = 0;
  return () => bytes.readUInt32LE((at = (at + 4) % 4092)) / 2 ** 32;
}
