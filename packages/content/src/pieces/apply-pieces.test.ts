import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ContentSource } from "../fetch/content-source.ts";
import { fetchPieces } from "./apply-pieces.ts";
import type { PieceRun } from "./plan-pieces.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const runBytes = 1 << 20;
const count = 128;

test("pieces that are written are let go of: a pack of any size is fetched in the memory of a few requests", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-pieces-"));
  const handle = await open(join(folder, "file"), "w+");
  try {
    const runs = Array.from({ length: count }, (_, i): PieceRun => ({
      start: i * runBytes, end: (i + 1) * runBytes,
      pieces: [{ offset: i * runBytes, length: runBytes, at: i * runBytes, storedSize: runBytes, rolling: 0, check: 0 }],
    }));
    collect();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const source: ContentSource = {
      name: "memory",
      async open(_contentId, _file, { start, end = 0 }) {
        if (start === (count - 1) * runBytes) {
          // What the last turns of the loop still hold goes with them.
          for (let turn = 0; turn < 10; turn++) {
            await new Promise((resolve) => setImmediate(resolve));
            collect();
          }
          most = process.memoryUsage().arrayBuffers - before;
        }
        return (async function* () {
          yield Buffer.alloc(end - start, start / runBytes + 1);
        })();
      },
    };
    await fetchPieces(handle, "patch", runs, { sources: [source], contentId: "0".repeat(64), options: { rounds: 1 }, onBytes: () => undefined });
    const written = await readFile(join(folder, "file"));
    assert.deepEqual([written.length, written[0], written.at(-1)], [count * runBytes, 1, count]);
    assert.ok(most > 0 && most < 48 * runBytes, `${most} bytes are held when the last request is sent`);
  } finally {
    await handle.close();
    await rm(folder, { recursive: true });
  }
});
