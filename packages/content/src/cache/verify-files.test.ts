import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ChunkList, parseChunkList } from "../description/chunking.ts";
import { describeBytes } from "../import/describe-bytes.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise } from "../fixtures/write-tree.ts";
import { spanSize } from "../description/schema.ts";
import { findBadChunks, verifyFiles } from "./verify-files.ts";
import type { FileToVerify } from "./verify-files.ts";

const folder = await temporaryFolder();
const size = 65 * 1024 * 1024;
let large: FileToVerify;
let small: FileToVerify;

before(async () => {
  const block = noise(1024 * 1024);
  const bytes = Buffer.concat(Array.from({ length: 65 }, () => block));
  await writeFile(join(folder, "large"), bytes);
  await writeFile(join(folder, "small"), block);
  const { file } = await describeBytes(size, (async function* () { yield bytes; })(), {});
  assert.equal(file.spans?.length, Math.ceil(size / spanSize));
  assert.equal(file.spans[6], createHash("sha256").update(bytes.subarray(6 * spanSize)).digest("hex"));
  large = { path: join(folder, "large"), name: "large", size, sha256: file.sha256, spans: file.spans };
  small = { path: join(folder, "small"), name: "small", size: block.length, sha256: createHash("sha256").update(block).digest("hex") };
});

async function flip(path: string, at: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = byte[0]! ^ 0x10;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

test("good files are found good, and progress ends at their size", async () => {
  let last = { done: 0, total: 0 };
  assert.deepEqual(await verifyFiles([large, small], { onProgress: (event) => void (last = event) }), []);
  assert.deepEqual([last.done, last.total], [size + small.size, size + small.size]);
});

test("one altered byte names the file and its span, with expected and found hash", async () => {
  const at = 3 * spanSize + 17;
  await flip(large.path, at);
  const [bad, ...more] = await verifyFiles([small, large]);
  assert.deepEqual(more, []);
  assert.equal(bad?.file, large);
  assert.equal(bad.reason, "content");
  const found = createHash("sha256").update((await readFile(large.path)).subarray(3 * spanSize, 4 * spanSize)).digest("hex");
  assert.deepEqual(bad.bad, [{ what: "span", offset: 3 * spanSize, length: spanSize, expected: large.spans?.[3], found }]);
  await flip(large.path, at);
});

test("one altered byte in the last, shorter span is named too, and two spans are named in order", async () => {
  for (const at of [size - 1, 5]) await flip(large.path, at);
  const [bad] = await verifyFiles([large], { threads: 1 });
  assert.deepEqual(bad?.bad.map(({ offset, length }) => [offset, length]), [[0, spanSize], [6 * spanSize, size - 6 * spanSize]]);
  for (const at of [size - 1, 5]) await flip(large.path, at);
});

test("one altered byte of a smaller file names its chunk", async () => {
  const bytes = await readFile(small.path);
  const list = new ChunkList("prestage-gear-8k-v1");
  list.update(bytes);
  const chunks = list.digest();
  const listSha256 = createHash("sha256").update(chunks).digest("hex");
  assert.deepEqual(await findBadChunks(small.path, chunks, listSha256), []);
  const at = 500_000;
  await flip(small.path, at);
  const [found] = await verifyFiles([small]);
  assert.equal(found?.bad[0]?.what, "file");
  const bad = await findBadChunks(small.path, chunks, listSha256);
  const wanted = parseChunkList(chunks).find((chunk) => chunk.offset <= at && at < chunk.offset + chunk.length);
  assert.deepEqual(bad.map(({ what, offset, length }) => [what, offset, length]), [["chunk", wanted?.offset, wanted?.length]]);
  assert.deepEqual(await findBadChunks(small.path, chunks, "0".repeat(64)), [], "a list that is not the index's says nothing");
  await flip(small.path, at);
});

test("a missing, cut or linked file and a directory are findings, not failures", async () => {
  await writeFile(join(folder, "cut"), noise(1000));
  await truncate(join(folder, "cut"), 999);
  await symlink(small.path, join(folder, "link"));
  const of = (name: string): FileToVerify => ({ ...small, path: join(folder, name), name });
  const found = await verifyFiles([of("none"), { ...of("cut"), size: 1000 }, of("link"), of("."), { ...large, spans: large.spans?.slice(1) }]);
  assert.deepEqual(found.map((one) => [one.file.name, one.reason, one.foundSize]), [["none", "missing", undefined], ["cut", "size", 999], ["link", "missing", undefined], [".", "missing", undefined], ["large", "content", size]]);
  await rm(join(folder, "link"));
});

test("an abort ends it", async () => {
  const abort = new AbortController();
  await assert.rejects(verifyFiles([large, small, large], { signal: abort.signal, threads: 1, onProgress: () => abort.abort(new Error("enough")) }), /enough/);
});
