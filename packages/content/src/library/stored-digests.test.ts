import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openWimFile, walkEntries } from "@prestage/wim";
import { ContentLibrary } from "./content-library.ts";
import type { StoredVersion } from "./content-library.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder, importImage } from "../import/import-content.ts";
import { runWimlib } from "../import/wimlib.ts";
import { storedDigests } from "./stored-digests.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const tree = { "a/twin.bin": halfNoise(300_000), "b/twin.bin": halfNoise(300_000), "empty.txt": "", "noise.bin": noise(200_000, 7) };
const package_ = await importFolder(library, await writeTree(join(folder, "package"), tree));
const image = join(folder, "image.wim");
await runWimlib(["capture", await writeTree(join(folder, "esp"), { loader: noise(50_000, 1) }), image, "esp", "--compress=LZX:20"]);
await runWimlib(["append", await writeTree(join(folder, "agent"), { "agent.mjs": noise(60_000, 2), none: "" }), image, "agent", "--unix-data"]);
const boot = await importImage(library, image, [1, 2]);
const noteOf = (version: StoredVersion) => join(version.folder, "stored.json");
const damaged = { code: "PRESTAGE_CONTENT_DAMAGED" };

/** With the note gone and one byte of the WIM altered; both are put back. */
async function withoutNote(version: StoredVersion, at: number, use: () => Promise<void>): Promise<void> {
  const good = await readFile(version.wimPath);
  const bytes = Buffer.from(good);
  bytes[at] = bytes[at]! ^ 0x55;
  await rm(noteOf(version), { force: true });
  await writeFile(version.wimPath, bytes);
  await use();
  await writeFile(version.wimPath, good);
}

/** Where the middle of a file, and of an image's tree, is stored. */
async function placeOf(version: StoredVersion, number: number, name: string): Promise<number> {
  const wim = await openWimFile(version.wimPath);
  try {
    if (name === "") return wim.imageMetadata(number).resource.offset + 20;
    const found = [...walkEntries(await wim.readImage(number))].find(({ path }) => path === name);
    const { offset, storedSize } = wim.blob(found?.entry.sha1 ?? "").resource;
    return offset + (storedSize >> 1);
  } finally {
    await wim.close();
  }
}

test("an import leaves the note of a folder; a lost one is made again, the same, and so is one of an image that never had one", async () => {
  const note = await readFile(noteOf(package_), "utf8");
  const images = await storedDigests(package_);
  assert.equal(images.length, 1);
  await rm(noteOf(package_));
  assert.deepEqual(await storedDigests(package_), images);
  assert.equal(await readFile(noteOf(package_), "utf8"), note);
  assert.equal((await storedDigests(boot)).length, 2);
  await readFile(noteOf(boot));
});

test("where there is no note, an altered byte of any file, or of a tree, is damage: nothing is reckoned from it, and no note made", async () => {
  for (const [version, number, name] of [[package_, 1, "a/twin.bin"], [package_, 1, "noise.bin"], [package_, 1, ""], [boot, 1, "loader"], [boot, 2, "agent.mjs"], [boot, 2, ""]] as const) {
    await withoutNote(version, await placeOf(version, number, name), async () => {
      await assert.rejects(storedDigests(version), damaged, `${number} ${name}`);
      await assert.rejects(readFile(noteOf(version)), { code: "ENOENT" });
    });
    await storedDigests(version);
  }
  await withoutNote(boot, 10, async () => assert.rejects(storedDigests(boot), damaged));
});

test("a note of the form that was made without a look at the files is not believed", async () => {
  const images = await storedDigests(boot);
  await withoutNote(boot, await placeOf(boot, 2, "agent.mjs"), async () => {
    await writeFile(noteOf(boot), JSON.stringify({ format: "prestage-stored-v1", storageSha256: boot.storageSha256, images }));
    await assert.rejects(storedDigests(boot), damaged);
  });
});

test("a file the index does not name, one it names that is not there, and another size are damage", async () => {
  const [first, ...others] = package_.index.files;
  assert.ok(first);
  for (const files of [others, [first, ...others, { ...first, path: "z" }], [{ ...first, size: first.size + 1 }, ...others], [{ ...first, sha256: "0".repeat(64) }, ...others]]) {
    await rm(noteOf(package_), { force: true });
    await assert.rejects(storedDigests({ ...package_, index: { ...package_.index, files } }), damaged);
  }
});

test("an end asked for ends it, and is no damage", async () => {
  await rm(noteOf(boot), { force: true });
  await assert.rejects(storedDigests(boot, AbortSignal.abort(new Error("enough"))), /enough/);
});
