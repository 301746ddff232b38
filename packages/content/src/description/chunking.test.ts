import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { ChunkList, chunkRecordSize, parseChunkList } from "./chunking.ts";
import type { Chunk } from "./chunking.ts";
import { noise } from "../fixtures/write-tree.ts";

function chunksOf(bytes: Uint8Array, step = bytes.length): Chunk[] {
  const list = new ChunkList();
  for (let at = 0; at < bytes.length; at += step) list.update(bytes.subarray(at, at + step));
  return parseChunkList(list.digest());
}

test("chunks are 8 to 128 KiB long, 32 KiB on average, and cover the file", () => {
  const bytes = noise(8 * 1024 * 1024);
  const chunks = chunksOf(bytes);
  for (const { length } of chunks.slice(0, -1)) assert.ok(length >= 8192 && length <= 131_072, `${length}`);
  const average = bytes.length / chunks.length;
  assert.ok(average > 24_000 && average < 42_000, `${average}`);
  let at = 0;
  for (const { offset, length, digest } of chunks) {
    assert.equal(offset, at);
    assert.deepEqual(digest, createHash("sha256").update(bytes.subarray(at, at + length)).digest().subarray(0, 16));
    at += length;
  }
  assert.equal(at, bytes.length);
});

test("bytes that give no cut are cut at 128 KiB", () => {
  assert.deepEqual(chunksOf(Buffer.alloc(300_000)).map((chunk) => chunk.length), [131_072, 131_072, 300_000 - 262_144]);
});

test("the cuts do not depend on how the bytes arrive", () => {
  const bytes = noise(700_000, 3);
  fc.assert(fc.property(fc.integer({ min: 500, max: 400_000 }), (step) => assert.deepEqual(chunksOf(bytes, step), chunksOf(bytes))), { numRuns: 20 });
});

test("an insertion changes only the chunks around it", () => {
  const bytes = noise(2 * 1024 * 1024, 5);
  const before = new Set(chunksOf(bytes).map((chunk) => chunk.digest.toString("hex")));
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.uint8Array({ minLength: 1, maxLength: 5000 }), (at, inserted) => {
      const after = chunksOf(Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]));
      const changed = after.filter((chunk) => !before.has(chunk.digest.toString("hex"))).length;
      // Two cut-point sequences meet again within a few chunks; without that every later chunk would change.
      assert.ok(changed <= 8, `${changed} of ${after.length}`);
    }),
    { numRuns: 40 },
  );
});

test("the cuts of one known file stay as they are for ever: content ids depend on them", () => {
  const list = new ChunkList();
  list.update(noise(1024 * 1024, 42));
  const bytes = list.digest();
  assert.equal(bytes.length % chunkRecordSize, 0);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), "8eb8daeb716d3ad784a98e14173d64eafee268db0d4018509b2e22f7e1eeee35");
});

/** The cuts as docs/media-format.md describes them, written from that text alone. */
function referenceCuts(bytes: Uint8Array): number[] {
  const table = Array.from({ length: 256 }, (_, byte) => createHash("sha256").update(Buffer.of(byte)).digest().readUInt32LE(0));
  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    const rest = bytes.length - start;
    let length = Math.min(rest, 131_072);
    let f = 0;
    for (let i = 8192; i < length; i++) {
      f = Number((BigInt(f) * 2n + BigInt(table[bytes[start + i]!]!)) % 4_294_967_296n);
      if ((i < 32_768 ? f & 0xffff8000 : f & 0xfff80000) === 0) length = i + 1;
    }
    lengths.push(length);
    start += length;
  }
  return lengths;
}

test("the chunking is the one docs/media-format.md describes", () => {
  for (const bytes of [noise(600_000, 11), noise(8192, 1), noise(8193, 2), Buffer.alloc(300_000), Buffer.alloc(0), Buffer.from("x")]) assert.deepEqual(chunksOf(bytes, 100_000).map((chunk) => chunk.length), referenceCuts(bytes));
});
