import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { serializeBlobTable, type BlobEntry } from "./blob-table.ts";
import { makeEntry } from "./entry-write.ts";
import { slowLzx } from "./fuzz/slow-lzx.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { compressionFlags, headerSize } from "./header.ts";
import { decompressLzmsChunk, decompressLzxChunk, decompressXpressChunk, memorySource, openAnyWim, readBlob, resourceFlags, verifyBlobs, type AnyWim, type WimErrorCode, type WimLimits } from "./index.ts";
import { decodeLzx } from "./lzx.ts";

const sha1 = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex");

/** Metadata of a tree that is only a root. */
function emptyTree(): Buffer {
  const root = makeEntry("", true, 0n, undefined);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(8, 0);
  return Buffer.concat([head, root, Buffer.alloc(8)]);
}

/** `u64 size | u32 chunk size | u32 method | u32 size of each chunk | chunks`; all chunks stored raw. */
function solidResource(data: Buffer, chunkSize: number, method = 2): Buffer {
  const count = Math.ceil(data.length / chunkSize);
  const head = Buffer.alloc(16 + 4 * count);
  head.writeBigUInt64LE(BigInt(data.length), 0);
  head.writeUInt32LE(chunkSize, 8);
  head.writeUInt32LE(method, 12);
  for (let i = 0; i < count; i++) head.writeUInt32LE(Math.min(chunkSize, data.length - i * chunkSize), 16 + 4 * i);
  return Buffer.concat([head, data]);
}

const first = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 251));
const second = Buffer.from(Array.from({ length: 40_000 }, (_, i) => (i * 11) % 241));
const both = Buffer.concat([first, second]);

/** A WIM with two solid resources in one run; `blobs` are places in what they decode to. */
function solidWim(options: { blobs?: [from: number, to: number][]; resources?: Buffer[]; flags?: number; change?: (entries: BlobEntry[]) => void } = {}): Buffer {
  const base = wimWithMetadata(emptyTree());
  const parts: Buffer[] = [base];
  let at = base.length;
  const metadata = { resource: { storedSize: emptyTree().length, flags: resourceFlags.metadata, offset: headerSize, size: emptyTree().length }, referenceCount: 1, sha1: sha1(emptyTree()) };
  const entries: BlobEntry[] = [metadata];
  const { flags = resourceFlags.solid } = options;
  for (const resource of options.resources ?? [solidResource(first, 32768), solidResource(second, 65536)]) {
    entries.push({ resource: { storedSize: resource.length, flags, offset: at, size: 2 ** 32 }, referenceCount: 1, sha1: "0".repeat(40) });
    parts.push(resource);
    at += resource.length;
  }
  for (const [from, to] of options.blobs ?? [[0, 10], [10, 69_000], [69_000, 71_000], [71_000, both.length]]) {
    entries.push({ resource: { storedSize: to - from, flags, offset: from, size: 0 }, referenceCount: 1, sha1: sha1(both.subarray(from, to)) });
  }
  options.change?.(entries);
  const table = serializeBlobTable(entries);
  parts.push(table);
  const blobTable = { storedSize: table.length, flags: resourceFlags.metadata, offset: at, size: table.length };
  const header = wimWithMetadata(emptyTree(), [], { blobTable, version: 0xe00, flags: compressionFlags("lzms"), chunkSize: 32768 });
  return Buffer.concat([header.subarray(0, base.length), ...parts.slice(1)]);
}

async function bytesOf(wim: AnyWim, hash: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readBlob(wim, hash)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("solid resources, byte by byte", () => {
  test("a run of two: blobs in one chunk, over chunks, over both resources", async () => {
    const wim = await openAnyWim(memorySource(solidWim()));
    assert.equal(wim.blobs.size, 4);
    for (const [from, to] of [[69_000, 71_000], [0, 10], [71_000, 110_000], [10, 69_000]] as const) assert.ok((await bytesOf(wim, sha1(both.subarray(from, to)))).equals(both.subarray(from, to)));
    await verifyBlobs(wim);
    const { resource } = wim.blob(sha1(both.subarray(69_000, 71_000)));
    assert.ok(Buffer.from(await wim.readResourceRange(resource, 999, 3)).equals(both.subarray(69_999, 70_002)));
    await assert.rejects(wim.chunkTable(resource), { code: "PRESTAGE_WIM_SOLID" });
  });

  async function refused(code: WimErrorCode, bytes: Buffer, limits: Partial<WimLimits> = {}): Promise<void> {
    await assert.rejects(async () => await verifyBlobs(await openAnyWim(memorySource(bytes), { limits })), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.stack);
      return true;
    });
  }
  const changed = (change: (head: Buffer) => void): Buffer[] => {
    const resource = solidResource(first, 32768);
    change(resource);
    return [resource, solidResource(second, 65536)];
  };
  test("a blob behind the end", () => refused("PRESTAGE_WIM_BLOB_TABLE", solidWim({ blobs: [[0, 10]], change: (entries) => (entries[3] = { ...entries[3]!, resource: { ...entries[3]!.resource, offset: 110_000 } }) })));
  test("blobs over each other", () => refused("PRESTAGE_WIM_BLOB_TABLE", solidWim({ blobs: [[0, 100], [99, 200]] })));
  test("metadata", () => refused("PRESTAGE_WIM_BLOB_TABLE", solidWim({ flags: resourceFlags.solid | resourceFlags.metadata })));
  test("a resource over the blob before it", () => refused("PRESTAGE_WIM_BLOB_TABLE", solidWim({ change: (entries) => (entries[1] = { ...entries[1]!, resource: { ...entries[1]!.resource, offset: 300 } }) })));
  test("a resource past the end", () => refused("PRESTAGE_WIM_TRUNCATED", solidWim({ change: (entries) => (entries[2] = { ...entries[2]!, resource: { ...entries[2]!.resource, storedSize: 2 ** 40 } }) })));
  test("a method nobody knows", () => refused("PRESTAGE_WIM_RESOURCE", solidWim({ resources: changed((head) => head.writeUInt32LE(9, 12)) })));
  test("a chunk size that is no power of two", () => refused("PRESTAGE_WIM_HEADER", solidWim({ resources: changed((head) => head.writeUInt32LE(40_000, 8)) })));
  test("a chunk larger than allowed", () => refused("PRESTAGE_WIM_LIMIT", solidWim(), { chunkBytes: 32768 }));
  test("more chunks than allowed", () => refused("PRESTAGE_WIM_LIMIT", solidWim(), { chunks: 2 }));
  test("more chunks than the resource could hold", () => refused("PRESTAGE_WIM_RESOURCE", solidWim({ resources: changed((head) => head.writeBigUInt64LE(2n ** 33n, 0)) })));
  test("a resource without room for its head", () => refused("PRESTAGE_WIM_RESOURCE", solidWim({ resources: [Buffer.alloc(10), solidResource(second, 65536)] })));
  for (const [what, size] of [["of no bytes", 0], ["longer than its output", 40_000], ["outside the resource", 0xffffffff]] as const) {
    test(`a chunk ${what}`, () => refused("PRESTAGE_WIM_RESOURCE", solidWim({ resources: changed((head) => head.writeUInt32LE(size, 16)) })));
  }
  test("a chunk that does not decode", () => refused("PRESTAGE_WIM_DECOMPRESS", solidWim({ resources: changed((head) => head.writeUInt32LE(32_767, 16)) })));
});

describe("chunks, byte by byte", () => {
  /** Bits, highest first, in 16-bit little-endian units. */
  function units(bits: string): Buffer {
    const padded = bits.padEnd(Math.ceil(bits.length / 16) * 16, "0");
    return Buffer.from(padded.match(/.{16}/g)!.flatMap((unit) => [Number.parseInt(unit.slice(8), 2), Number.parseInt(unit.slice(0, 8), 2)]));
  }
  const number = (value: number, bits: number): string => value.toString(2).padStart(bits, "0");
  const offsets = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(12);
    for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
    return bytes;
  };

  for (const [window, sizeBits] of [[32768, 16], [65536, 24]] as const) {
    test(`LZX: uncompressed blocks of odd and even size, window ${window}`, () => {
      const [one, two] = [Buffer.from("an odd one."), Buffer.from("an even one.")];
      const chunk = Buffer.concat([units(`0110${number(one.length, sizeBits)}`), offsets(1, 2, 3), one, Buffer.alloc(1), units(`0110${number(two.length, sizeBits)}`), offsets(4, 5, 6), two]);
      const expected = Buffer.concat([one, two]);
      assert.ok(Buffer.from(decompressLzxChunk(chunk, expected.length, window)).equals(expected));
      assert.ok(Buffer.from(slowLzx(chunk, expected.length, window)!).equals(expected));
      assert.equal(decodeLzx(chunk.subarray(0, -1), new Uint8Array(expected.length), window), false, "cut");
      assert.equal(decodeLzx(chunk, new Uint8Array(expected.length - 1), window), false, "longer than its output");
    });
  }
  test("LZX: an uncompressed block that sets an offset to 0 is refused", () => {
    const chunk = Buffer.concat([units(`0110${number(4, 16)}`), offsets(1, 0, 1), Buffer.from("abcd")]);
    assert.throws(() => decompressLzxChunk(chunk, 4, 32768), { code: "PRESTAGE_WIM_DECOMPRESS" });
    assert.throws(() => decompressLzxChunk(chunk, 4, 40_000), { code: "PRESTAGE_WIM_DECOMPRESS" });
  });
  test("XPRESS: literals and a match with each form of length", () => {
    // Symbols 97 ("a", 1 bit: 0) and 256 + 15 (offset 1, long length, 1 bit: 1).
    const table = Buffer.alloc(256);
    table[97 >> 1] = 1 << 4;
    table[(256 + 15) >> 1] = 1 << 4;
    const long = Buffer.concat([table, units("01"), Buffer.from([0, 0]), Buffer.from([255, 0xe8, 0x03])]);
    assert.equal(Buffer.from(decompressXpressChunk(long, 1004)).toString(), "a".repeat(1004));
    const short = Buffer.concat([table, units("01"), Buffer.from([0, 0]), Buffer.from([5])]);
    assert.equal(Buffer.from(decompressXpressChunk(short, 24)).toString(), "a".repeat(24));
    for (const [bytes, size] of [[long, 1003], [long.subarray(0, -1), 1004], [long.subarray(0, -3), 1004], [long.subarray(0, 200), 10]] as const) assert.throws(() => decompressXpressChunk(bytes, size), { code: "PRESTAGE_WIM_DECOMPRESS" });
  });
  test("LZMS: what is too short or of odd length is refused", () => {
    for (const length of [0, 2, 3, 5, 101]) assert.throws(() => decompressLzmsChunk(Buffer.alloc(length, 0x55), 100), { code: "PRESTAGE_WIM_DECOMPRESS" });
    assert.equal(decompressLzmsChunk(Buffer.alloc(4), 3).length, 3);
  });
});
