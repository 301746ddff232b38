import assert from "node:assert/strict";
import { test } from "node:test";
import { halfNoise } from "../fixtures/write-tree.ts";
import { pieceSize } from "./piece-layout.ts";
import { pieceCheck, PieceSearch, rollingHash } from "./piece-search.ts";

async function* of(...parts: Buffer[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

test("pieces are found at any byte, those alike all at once, each where it lies first", async () => {
  const data = halfNoise(200_000, 7);
  const search = new PieceSearch<{ rolling: number; check: number; length: number; name: string }>();
  for (const [name, at] of [["a", 5], ["b", 77_777], ["b again", 77_777]] as const) {
    const bytes = data.subarray(at, at + pieceSize);
    search.add({ rolling: rollingHash(bytes), check: pieceCheck(bytes), length: pieceSize, name });
  }
  const found: [string, number][] = [];
  await search.scan(of(data.subarray(0, 77_800), data.subarray(77_800), data), ({ name }, at) => found.push([name, at]));
  assert.deepEqual(found, [["a", 5], ["b", 77_777], ["b again", 77_777]]);
  assert.equal(search.isEmpty, true);
});

test("lists made to fit everywhere and nowhere, which nothing binds, cost seconds at most: the search is given up", async () => {
  const zeros = Buffer.alloc(1 << 20);
  const rolling = rollingHash(zeros);
  const right = pieceCheck(zeros.subarray(0, pieceSize));
  const search = new PieceSearch<{ rolling: number; check: number; length: number }>();
  for (let i = 0; i < 200_000; i++) search.add({ rolling, check: i % 65_536 === right ? right ^ 1 : i % 65_536, length: pieceSize });
  const begun = process.cpuUsage();
  await search.scan(of(...Array.from({ length: 64 }, () => zeros)), () => assert.fail("none of them is there"), AbortSignal.timeout(110_000));
  assert.equal(search.isEmpty, true);
  // Of the processor, so that a busy machine changes nothing.
  assert.ok(process.cpuUsage(begun).user < 15_000_000);
});
