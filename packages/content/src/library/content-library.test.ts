import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ContentLibrary } from "./content-library.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";

test("a version that is imported again while nothing names it is young again: a collection leaves it to the import", async () => {
  const folder = await temporaryFolder();
  const library = new ContentLibrary(join(folder, "library"));
  await writeTree(join(folder, "tree"), { file: "content" });
  const first = await importFolder(library, join(folder, "tree"));
  const { ctimeMs } = await stat(first.folder);
  const again = await importFolder(library, join(folder, "tree"));
  assert.equal(again.contentId, first.contentId);
  assert.ok((await stat(first.folder)).ctimeMs > ctimeMs);
  assert.deepEqual((await library.collect(new Set(), { graceMs: Date.now() - ctimeMs - 1 })).removed, []);
  assert.ok(await library.has(first.contentId));
});
