import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { chunkRecord } from "./chunking.ts";
import { piecesOf } from "./file-pieces.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { openStorageMap } from "./index-document.ts";
import { LocalChunks } from "../cache/local-chunks.ts";
import { spanSize } from "./schema.ts";

const sha256 = "a".repeat(64);
/** A chunk list with these lengths. */
const list = (...lengths: number[]) => Buffer.concat(lengths.map((length) => {
  const record = Buffer.alloc(20);
  record.writeUInt32LE(length, 0);
  return record;
}));

test("chunks and spans count only where they make up the file in pieces of sound size", () => {
  const of = (size: number, ...lengths: number[]) => piecesOf({ path: "f", size, sha256 }, list(...lengths))?.map((piece) => piece.length);
  assert.deepEqual(of(300_000, 131_072, 131_072, 37_856), [131_072, 131_072, 37_856]);
  for (const [size, ...lengths] of [[300_000, 300_000], [0xfffffffe, 0xfffffffe], [10, 0, 10], [10, 10, 0], [10, 5], [10, 5, 6], [10]] as const) assert.equal(of(size, ...lengths), undefined, String(lengths));
  const spans = (size: number, count: number) => piecesOf({ path: "f", size, sha256, spans: Array.from({ length: count }, () => sha256) }, undefined)?.length;
  assert.deepEqual([spans(2 * spanSize + 1, 3), spans(2 * spanSize + 1, 2), spans(2 * spanSize + 1, 4), spans(2 * spanSize, 2), spans(1, 2)], [3, undefined, undefined, 2, undefined]);
});

test("a storage map that asks for more memory than a WIM's chunk is refused", () => {
  const map = (change: Record<string, unknown>) => Buffer.from(JSON.stringify({
    format: "prestage-storage-v1", wimSize: 10_000_000_000, wimSha256: sha256,
    files: [{ path: "f", offset: 208, storedSize: 20, size: 40_000, compression: "lzx", chunkSize: 32_768, tableSize: 4, chunkSizes: [8, 8], ...change }],
  }));
  assert.equal(openStorageMap(map({}), undefined).files.length, 1);
  for (const change of [{ chunkSize: 4_000_000_000, chunkSizes: [16] }, { storedSize: 5_000_000_012, chunkSizes: [5_000_000_000, 8] }, { chunkSizes: [8, 9] }, { chunkSizes: [16] }]) assert.throws(() => openStorageMap(map(change), undefined), { code: "PRESTAGE_CONTENT_STORAGE_MALFORMED" }, JSON.stringify(change));
});

test("chunks of very many files are read with a bounded number of them open", async () => {
  const folder = await temporaryFolder();
  const files = Array.from({ length: 300 }, (_, i) => noise(64, i + 1));
  await writeTree(folder, Object.fromEntries(files.map((bytes, i) => [`f${i}`, bytes])));
  const chunks = new LocalChunks();
  files.forEach((bytes, i) => chunks.add(join(folder, `f${i}`), chunkRecord(bytes)));
  const before = (await readdir("/proc/self/fd")).length;
  for (const bytes of [...files, ...files]) assert.ok((await chunks.read({ offset: 0, length: 64, digest: chunkRecord(bytes).subarray(4) }))?.equals(bytes));
  assert.ok((await readdir("/proc/self/fd")).length - before <= 64);
  await chunks.close();
});
