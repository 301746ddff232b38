import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { manifestReader } from "@prestage/media";
import { bundleAgent } from "./bundle-agent.ts";

test("a bundled agent says which manifests it reads: a site makes no media with one that does not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-bundle-"));
  try {
    await bundleAgent(join(folder, "agent.mjs"));
    const agent = await readFile(join(folder, "agent.mjs"), "utf8");
    assert.ok(agent.includes("leastAgentVersion"));
    assert.ok(agent.includes(manifestReader));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
