import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pruneCache, touch } from "./prune-cache.ts";

test("what was used last stays, with its description, what was abandoned half made goes, and other files are left alone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-prune-"));
  try {
    for (const [index, name] of ["a.wim", "b.wim", "c.wim"].entries()) {
      await writeFile(join(folder, name), "");
      await writeFile(join(folder, `${name}.json`), "");
      await utimes(join(folder, name), index + 1, index + 1);
    }
    for (const name of ["other", "d.wim.partial-1", "d.wim.partial-2QUnvEX"]) await writeFile(join(folder, name), "");
    await utimes(join(folder, "d.wim.partial-2QUnvEX"), 1, 1);
    await touch(join(folder, "a.wim"));
    await pruneCache(folder, ".wim", 2);
    assert.deepEqual((await readdir(folder)).sort(), ["a.wim", "a.wim.json", "c.wim", "c.wim.json", "d.wim.partial-1", "other"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
