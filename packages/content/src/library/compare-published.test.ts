import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { comparePublished } from "./compare-published.ts";
import type { ReadPublished } from "./compare-published.ts";
import { ContentLibrary } from "./content-library.ts";
import { filesToPublish } from "./publish-version.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";

test("samples are of the places asked for: a server that always sends the same range is found out", async () => {
  const folder = await temporaryFolder();
  const library = new ContentLibrary(join(folder, "library"));
  const { contentId } = await importFolder(library, await writeTree(join(folder, "tree"), { large: noise(3_000_000) }));
  const files = new Map((await filesToPublish(library, contentId)).map((file) => [file.name, file]));
  const reader = (of: (range: { start: number; end: number }) => { start: number; end: number }): ReadPublished => async (name, range) => {
    const file = files.get(name);
    if (file === undefined) return undefined;
    const { start, end } = of(range);
    const handle = await open(file.path);
    return { total: file.size, start, end, bytes: handle.createReadStream({ start, end: end - 1 }) };
  };
  assert.deepEqual(await comparePublished(library, contentId, reader((range) => range)), { state: "whole", faults: [] });
  const { state, faults } = await comparePublished(library, contentId, reader(({ start, end }) => ({ start: 0, end: end - start })));
  assert.equal(state, "damaged");
  assert.match(faults[0]?.fault ?? "", /^sends bytes 0 to 65536 where \d+ to \d+ were asked for$/);
});

test("patches that are dropped while a version is being published do not end the publication", async () => {
  const folder = await temporaryFolder();
  const library = new ContentLibrary(join(folder, "library"));
  const version = await importFolder(library, await writeTree(join(folder, "tree"), { small: "x" }));
  const half = `patch-${"a".repeat(64)}`;
  await writeTree(version.folder, { [`${half}.json.zst`]: "list without its patches" });
  assert.ok((await filesToPublish(library, version.contentId)).every(({ name }) => !name.startsWith("patch-")));
  await writeTree(version.folder, { [`${half}.bin`]: "patches" });
  assert.deepEqual((await filesToPublish(library, version.contentId)).slice(0, 2).map(({ name }) => name), [`${half}.bin`, `${half}.json.zst`]);
});
