import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { ContentSource } from "../fetch/content-source.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise } from "../fixtures/write-tree.ts";
import { chunksOfFile, encodeChunkFile, openChunkFile } from "./chunk-file.ts";
import { planRefreshFile, refreshFile } from "./refresh-file.ts";

const folder = await temporaryFolder();
const [older, newer, output] = ["older", "newer", "output"].map((name) => join(folder, name)) as [string, string, string];

function serving(bytes: Buffer, served: { start: number; end: number }[] = []): ContentSource {
  return {
    name: "server",
    open: async (_id, _name, { start, end = bytes.length }) => {
      served.push({ start, end });
      return (async function* () {
        for (let at = start; at < end; at += 5000) yield bytes.subarray(at, Math.min(end, at + 5000));
      })();
    },
  };
}

test("whatever was changed, the newer file comes out byte for byte, and what did not change is not fetched", async () => {
  const base = noise(1_500_000, 3);
  const change = fc.record({ at: fc.nat(base.length - 1), remove: fc.nat(60_000), insert: fc.nat(60_000), seed: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
      let next: Buffer = base;
      for (const { at, remove, insert, seed } of changes) next = Buffer.concat([next.subarray(0, at), noise(insert, seed), next.subarray(at + remove)]);
      await writeFile(older, base);
      await writeFile(newer, next);
      const served: { start: number; end: number }[] = [];
      const list = openChunkFile(encodeChunkFile(await chunksOfFile(newer)));
      const have = await chunksOfFile(older);
      const planned = planRefreshFile(list, [have]);
      const result = await refreshFile(list, [{ path: older, chunks: have }], serving(next, served), "newer", output);
      assert.deepEqual([planned.toFetch, planned.reused, planned.requests], [result.fetched, result.reused, served.length], "as it was said before");
      assert.ok((await readFile(output)).equals(next));
      assert.equal(served.reduce((sum, range) => sum + range.end - range.start, 0), result.fetched);
      // Each change costs itself and the chunks at its edges.
      assert.ok(result.fetched <= changes.reduce((sum, one) => sum + one.insert + 3 * 131_072, 0), `${result.fetched}`);
      if (next.equals(base)) assert.equal(result.fetched, 0);
    }),
    { numRuns: 25 },
  );
});

test("cut off, the next attempt fetches the rest; wrong bytes, another server's file or a damaged older one give an error or the right file, never a wrong one", async () => {
  const [base, next] = [noise(800_000, 1), noise(800_000, 2)];
  await writeFile(older, base);
  await writeFile(newer, next);
  const [list, have] = [await chunksOfFile(newer), await chunksOfFile(older)];
  const abort = new AbortController();
  const again: { start: number; end: number }[] = [];
  await assert.rejects(refreshFile(list, [{ path: older, chunks: have }], serving(next), "newer", `${output}2`, { signal: abort.signal, onProgress: ({ done, total }) => void (done > total / 2 && abort.abort(new Error("power"))) }), /power/);
  await refreshFile(list, [{ path: older, chunks: have }], serving(next, again), "newer", `${output}2`);
  const second = again.reduce((sum, range) => sum + range.end - range.start, 0);
  assert.ok(second > 0 && second < 600_000, `${second}`);
  await assert.rejects(refreshFile(list, [], serving(base), "newer", `${output}3`), { code: "PRESTAGE_CONTENT_FETCH_FAILED" });
  await assert.rejects(readFile(`${output}3`), { code: "ENOENT" });
  await writeFile(older, noise(800_000, 9));
  await refreshFile(list, [{ path: older, chunks: have }], serving(next), "newer", `${output}4`);
  assert.ok((await readFile(`${output}4`)).equals(next));
});

test("a list of chunks that is none is refused", async () => {
  await writeFile(newer, noise(300_000, 4));
  const good = encodeChunkFile(await chunksOfFile(newer));
  const at = good.indexOf(10) + 1;
  const long = Buffer.from(good);
  long.writeUInt32LE(0xffff_ffff, at);
  for (const bad of [Buffer.alloc(0), Buffer.from("x\n"), good.subarray(0, -1), good.subarray(0, at), Buffer.concat([good, good.subarray(-36)]), long]) assert.throws(() => openChunkFile(bad), { code: "PRESTAGE_CONTENT_CHUNK_FILE" });
});
