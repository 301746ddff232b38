import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { LocalCache } from "./local-cache.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const bytes = { "run.sh": "#!/bin/sh\n", "same.bin": noise(300_000), "old.txt": "old" };
let first: StoredVersion;
let second: StoredVersion;

before(async () => {
  const source = await writeTree(join(folder, "source"), bytes);
  await mkdir(join(source, "hollow"));
  await chmod(join(source, "run.sh"), 0o755);
  first = await importFolder(library, source);
  await rm(join(source, "old.txt"));
  await writeTree(source, { "moved/same.bin": bytes["same.bin"], "run.sh": "#!/bin/sh\necho 2\n", "new.txt": "new" });
  await rm(join(source, "same.bin"));
  second = await importFolder(library, source);
});

let caches = 0;
/** A disk that holds the first version, as staging leaves it. */
async function staged(): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await writeTree(join(cache.folderOf(first.contentId), "files"), bytes);
  await mkdir(join(cache.folderOf(first.contentId), "files/hollow"));
  await cache.keepDescription(first.contentId, await readFile(join(first.folder, "index.json")), await readFile(join(first.folder, "chunks.bin")));
  return cache;
}
const states = (answer: Awaited<ReturnType<LocalCache["ask"]>>) => [answer.state, Object.fromEntries(answer.files.map((one) => [one.file.path, one.state]))];

test("hit: every file is there with the right bytes", async () => {
  const cache = await staged();
  assert.deepEqual(states(await cache.ask(first.contentId, first.index, [])), ["hit", { "run.sh": "hit", "same.bin": "hit", "old.txt": "hit" }]);
});

test("missing: no version is there; a version nobody asked about does not count", async () => {
  const none = ["missing", { "run.sh": "missing", "moved/same.bin": "missing", "new.txt": "missing" }];
  assert.deepEqual(states(await new LocalCache(join(folder, "nowhere")).ask(second.contentId, second.index, [first.contentId])), none);
  assert.deepEqual(states(await (await staged()).ask(second.contentId, second.index, [])), none);
});

test("revised: an earlier version is there; what it shares is a hit wherever it lies, and is adopted without a copy", async () => {
  const cache = await staged();
  const answer = await cache.ask(second.contentId, second.index, [first.contentId]);
  assert.deepEqual(states(answer), ["revised", { "run.sh": "revised", "moved/same.bin": "hit", "new.txt": "missing" }]);
  await cache.adopt(second.contentId, answer);
  const inode = async (id: string, path: string) => (await stat(cache.filePath(id, path))).ino;
  assert.equal(await inode(second.contentId, "moved/same.bin"), await inode(first.contentId, "same.bin"));
  await cache.adopt(second.contentId, answer);
  await cache.removePartials(second.contentId);
  assert.deepEqual(await readdir(cache.folderOf(second.contentId)), ["files"]);
});

test("a damaged, cut, missing or replaced file is revised or missing, never a hit", async () => {
  for (const [expected, damage] of [
    ["revised", (path: string) => writeFile(path, "olD")],
    ["revised", (path: string) => writeFile(path, "ol")],
    ["missing", (path: string) => rm(path)],
    ["missing", async (path: string) => (await rm(path), symlink(join(folder, "source/new.txt"), path))],
    ["missing", async (path: string) => (await rm(path), mkdir(path))],
  ] as const) {
    const cache = await staged();
    await damage(cache.filePath(first.contentId, "old.txt"));
    assert.deepEqual(states(await cache.ask(first.contentId, first.index, [])), ["revised", { "run.sh": "hit", "same.bin": "hit", "old.txt": expected }]);
  }
});

test("an index on the disk that is not the one of its id counts as none", async () => {
  const cache = await staged();
  assert.deepEqual(await cache.readIndex(first.contentId), first.index);
  await writeFile(join(cache.folderOf(first.contentId), "index.json"), (await readFile(join(first.folder, "index.json"), "utf8")).replace("old.txt", "olx.txt"));
  assert.equal(await cache.readIndex(first.contentId), undefined);
  assert.equal((await cache.ask(second.contentId, second.index, [first.contentId])).state, "missing");
});

test("an id that is no SHA-256 never becomes a path", () => {
  const cache = new LocalCache(join(folder, "cache"));
  for (const id of ["../x", "", "A".repeat(64), `${"a".repeat(64)}/..`]) assert.throws(() => cache.filePath(id, "x"), id);
});

test("a check-out is a copy for root alone, with folders and execute bits as the index says", async () => {
  const cache = await staged();
  const target = join(folder, "out");
  await writeTree(target, { "left-over": "x" });
  await cache.checkOut(first.contentId, first.index, target);
  assert.deepEqual((await readdir(target)).sort(), ["hollow", "old.txt", "run.sh", "same.bin"]);
  const mode = async (path: string) => (await stat(join(target, path))).mode & 0o777;
  assert.deepEqual([await mode("."), await mode("run.sh"), await mode("old.txt")], [0o700, 0o755, 0o644]);
  assert.notEqual((await stat(join(target, "old.txt"))).ino, (await stat(cache.filePath(first.contentId, "old.txt"))).ino);
});

test("a check-out of a damaged file is refused and leaves nothing", async () => {
  for (const damage of [
    (path: string) => writeFile(path, "olD"),
    (path: string) => writeFile(path, "longer than it was"),
    (path: string) => rm(path),
    async (path: string) => (await rm(path), symlink("/dev/zero", path)),
  ]) {
    const cache = await staged();
    await damage(cache.filePath(first.contentId, "old.txt"));
    await assert.rejects(cache.checkOut(first.contentId, first.index, join(folder, "refused")), { code: "PRESTAGE_CONTENT_DAMAGED", message: /old\.txt/ });
    await assert.rejects(stat(join(folder, "refused")), { code: "ENOENT" });
  }
});
