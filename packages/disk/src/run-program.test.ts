import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "./run-program.ts";

test("a program that was stopped is gone when that is told: what it worked on may be unmounted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-run-program-"));
  try {
    const stop = new AbortController();
    const script = 'trap "echo over > $1; exit 1" TERM; echo ready; while :; do sleep 0.05; done';
    await assert.rejects(runProgram("sh", ["-c", script, "sh", join(folder, "said")], { signal: stop.signal, onLine: () => stop.abort() }), { name: "AbortError" });
    assert.equal(await readFile(join(folder, "said"), "utf8"), "over\n");
  } finally {
    await rm(folder, { recursive: true });
  }
});
