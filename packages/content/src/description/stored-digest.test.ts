import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openWimFile, resourceFlags, ResourceHasher } from "@prestage/wim";
import type { ResourceHeader } from "@prestage/wim";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, writeTree } from "../fixtures/write-tree.ts";
import { runWimlib } from "../import/wimlib.ts";
import { storedDigest } from "./stored-digest.ts";

const folder = await temporaryFolder();

test("a file is a repeated one only where all that says what it decodes to is the same", async () => {
  const path = join(folder, "one.wim");
  await runWimlib(["capture", await writeTree(join(folder, "tree"), { file: halfNoise(100_000) }), path, "one", "--compress=LZX:20"]);
  const wim = await openWimFile(path);
  const hasher = new ResourceHasher({ threads: 0 });
  try {
    const [resource] = [...wim.blobs.values()].map((blob) => blob.resource);
    assert.ok(resource);
    const second = async (change: Partial<ResourceHeader>) => await storedDigest(wim, hasher, [resource, { ...resource, ...change }]);
    const twice = await second({});
    const others = [{ storedSize: 0 }, { storedSize: resource.storedSize - 1 }, { size: resource.size - 1 }, { flags: resource.flags ^ resourceFlags.compressed }];
    const digests = await Promise.all(others.map(second));
    assert.equal(new Set([twice, ...digests]).size, others.length + 1);
  } finally {
    await hasher.close();
    await wim.close();
  }
});
