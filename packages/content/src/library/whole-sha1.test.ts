import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { ContentLibrary } from "./content-library.ts";
import { wholeSha1 } from "./whole-sha1.ts";

test("the SHA-1 of a stored WIM is reckoned once; a note of other bytes, or that makes no sense, is not believed", async () => {
  const folder = await temporaryFolder();
  const version = await importFolder(new ContentLibrary(join(folder, "library")), await writeTree(join(folder, "tree"), { program: halfNoise(900_000, 1) }));
  const right = createHash("sha1").update(await readFile(version.wimPath)).digest("hex");
  assert.equal(await wholeSha1(version), right);
  const note = join(version.folder, "whole.json");
  const { mtimeMs } = await stat(note);
  assert.equal(await wholeSha1(version), right);
  assert.equal((await stat(note)).mtimeMs, mtimeMs);
  const kept = JSON.parse(await readFile(note, "utf8")) as Record<string, string>;
  for (const text of ["", "{}", JSON.stringify({ ...kept, sha1: "no" }), JSON.stringify({ ...kept, sha1: "0".repeat(40), storageSha256: "0".repeat(64) })]) {
    await writeFile(note, text);
    assert.equal(await wholeSha1(version), right, text);
  }
  await writeFile(note, JSON.stringify({ ...kept, sha1: "1".repeat(40) }));
  assert.equal(await wholeSha1(version), "1".repeat(40), "it is read, not reckoned anew");
});
