import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { ChunkList, chunkings, chunkRecordSize, parseChunkList } from "./chunking.ts";
import type { Chunk } from "./chunking.ts";
import { chunkingNames } from "./schema.ts";
import type { ChunkingName } from "./schema.ts";
import { noise } from "../fixtures/write-tree.ts";

function chunksOf(bytes: Uint8Array, step = bytes.length, name: ChunkingName = "prestage-gear-8k-v1"): Chunk[] {
  const list = new ChunkList(name);
  for (let at = 0; at < bytes.length; at += step) list.update(bytes.subarray(at, at + step));
  return parseChunkList(list.digest());
}

test("chunks are a quarter to four times as long as their name says, as long on average, and cover the file", () => {
  const bytes = noise(8 * 1024 * 1024);
  for (const [name, normal] of [["prestage-gear-8k-v1", 8192], ["prestage-gear-32k-v1", 32_768]] as const) {
    const chunks = chunksOf(bytes, bytes.length, name);
    for (const { length } of chunks.slice(0, -1)) assert.ok(length >= normal / 4 && length <= normal * 4, `${length}`);
    const average = bytes.length / chunks.length;
    assert.ok(average > normal * 0.75 && average < normal * 1.3, `${average}`);
    let at = 0;
    for (const { offset, length, digest } of chunks) {
      assert.equal(offset, at);
      assert.deepEqual(digest, createHash("sha256").update(bytes.subarray(at, at + length)).digest().subarray(0, 16));
      at += length;
    }
    assert.equal(at, bytes.length);
  }
});

test("bytes that give no cut are cut at the longest", () => {
  assert.deepEqual(chunksOf(Buffer.alloc(70_000)).map((chunk) => chunk.length), [32_768, 32_768, 70_000 - 65_536]);
  assert.deepEqual(chunksOf(Buffer.alloc(300_000), 300_000, "prestage-gear-32k-v1").map((chunk) => chunk.length), [131_072, 131_072, 300_000 - 262_144]);
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
  const known = { "prestage-gear-8k-v1": "0de5f44860615ecf95a08feba2cc4d58f4e0f882f3b2da8f58f777dadac2c620", "prestage-gear-32k-v1": "8eb8daeb716d3ad784a98e14173d64eafee268db0d4018509b2e22f7e1eeee35" };
  for (const name of chunkingNames) {
    const list = new ChunkList(name);
    list.update(noise(1024 * 1024, 42));
    const bytes = list.digest();
    assert.equal(bytes.length % chunkRecordSize, 0);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), known[name]);
  }
});

/** The cuts as docs/media-format.md describes them, written from that text alone. */
function referenceCuts(bytes: Uint8Array, normal: number, [before, after]: readonly [number, number]): number[] {
  const table = Array.from({ length: 256 }, (_, byte) => createHash("sha256").update(Buffer.of(byte)).digest().readUInt32LE(0));
  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    const rest = bytes.length - start;
    let length = Math.min(rest, normal * 4);
    let f = 0;
    for (let i = normal / 4; i < length; i++) {
      f = Number((BigInt(f) * 2n + BigInt(table[bytes[start + i]!]!)) % 4_294_967_296n);
      if ((f & (i < normal ? before : after)) === 0) length = i + 1;
    }
    lengths.push(length);
    start += length;
  }
  return lengths;
}

test("the chunkings are those docs/media-format.md describes", () => {
  for (const bytes of [noise(600_000, 11), noise(2048, 1), noise(2049, 2), noise(8192, 1), noise(8193, 2), Buffer.alloc(300_000), Buffer.alloc(0), Buffer.from("x")]) {
    assert.deepEqual(chunksOf(bytes, 100_000).map((chunk) => chunk.length), referenceCuts(bytes, 8192, [0xfffe0000, 0xffe00000]));
    assert.deepEqual(chunksOf(bytes, 100_000, "prestage-gear-32k-v1").map((chunk) => chunk.length), referenceCuts(bytes, 32_768, [0xffff8000, 0xfff80000]));
  }
  assert.deepEqual(chunkingNames.map((name) => chunkings[name].above), [65_536, 262_144]);
});
