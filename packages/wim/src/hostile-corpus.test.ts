import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { serializeBlobTable } from "./blob-table.ts";
import { makeEntry } from "./entry-write.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { compressionFlags, headerSize } from "./header.ts";
import { extractImage, memorySource, openWim, readBlob, resourceFlags, unsafeNames, verifyBlobs, walkEntries, type WimErrorCode, type WimLimits } from "./index.ts";

const folder = (name: string): Buffer => makeEntry(name, true, 0n, undefined);
const plain = (name: string): Buffer => makeEntry(name, false, 0n, undefined);

/** Metadata from lists of entries; each entry may name the list its children are in. List 0 holds the root. */
function metadataOf(lists: readonly (readonly { raw: Buffer; list?: number }[])[]): Buffer {
  const offsets: number[] = [];
  let end = 8;
  for (const list of lists) {
    offsets.push(end);
    end += list.reduce((sum, { raw }) => sum + raw.length, 0) + 8;
  }
  const bytes = Buffer.alloc(end);
  bytes.writeUInt32LE(8, 0);
  for (const [i, list] of lists.entries()) {
    let at = offsets[i]!;
    for (const { raw, list: children } of list) {
      raw.copy(bytes, at);
      bytes.writeBigUInt64LE(BigInt(children === undefined ? 0 : (offsets[children] ?? children)), at + 16);
      at += raw.length;
    }
  }
  return bytes;
}
const small = metadataOf([[{ raw: folder(""), list: 1 }], [{ raw: plain("f") }]]);

async function refused(code: WimErrorCode, bytes: Uint8Array, limits: Partial<WimLimits> = {}): Promise<void> {
  const start = performance.now();
  await assert.rejects(
    async () => {
      const wim = await openWim(memorySource(bytes), { limits });
      await wim.readImage(1);
      await verifyBlobs(wim);
    },
    (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.stack);
      return true;
    },
  );
  assert.ok(performance.now() - start < 20_000, "no hang, even on a busy machine");
}

const changed = (bytes: Buffer, change: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
};

/** The WIM with another XML behind it. */
function withXml(text: string): Buffer {
  const wim = wimWithMetadata(small);
  const xml = Buffer.from(`\ufeff${text}`, "utf16le");
  const resource = { storedSize: xml.length, flags: resourceFlags.metadata, offset: wim.length, size: xml.length };
  return Buffer.concat([wimWithMetadata(small, [], { xml: resource }).subarray(0, wim.length), xml]);
}

/** The WIM with another blob table behind it; its first entry is the true metadata. */
function withBlobs(entries: Parameters<typeof serializeBlobTable>[0], change: Parameters<typeof wimWithMetadata>[2] = {}): Buffer {
  const wim = wimWithMetadata(small);
  const metadata = { resource: { storedSize: small.length, flags: resourceFlags.metadata, offset: headerSize, size: small.length }, referenceCount: 1, sha1: createHash("sha1").update(small).digest("hex") };
  const table = serializeBlobTable([metadata, ...entries]);
  const resource = { storedSize: table.length, flags: resourceFlags.metadata, offset: wim.length, size: table.length };
  return Buffer.concat([wimWithMetadata(small, [], { ...change, blobTable: resource }).subarray(0, wim.length), table]);
}
const blob = (offset: number, storedSize: number, size: number, flags = 0, sha1 = "11".repeat(20)): Parameters<typeof serializeBlobTable>[0][number] => ({ resource: { storedSize, flags, offset, size }, referenceCount: 1, sha1 });
const lzx = { compression: "lzx", chunkSize: 32768, flags: compressionFlags("lzx") } as const;

test("the WIM these tests damage is in order", async () => {
  const wim = await openWim(memorySource(wimWithMetadata(small)));
  assert.deepEqual((await wim.readImage(1)).root.children.map((entry) => entry.name), ["f"]);
  await verifyBlobs(wim);
});

describe("headers", () => {
  const wim = wimWithMetadata(small);
  const at = (offset: number, value: number): Buffer => changed(wim, (copy) => copy.writeUInt32LE(value, offset));
  test("header size", () => refused("PRESTAGE_WIM_HEADER", at(8, 207)));
  test("version", () => refused("PRESTAGE_WIM_HEADER", at(12, 0x10c00)));
  test("two compressions at once", () => refused("PRESTAGE_WIM_HEADER", at(16, 0x60002)));
  test("a chunk size that is no power of two", () => refused("PRESTAGE_WIM_HEADER", wimWithMetadata(small, [], { ...lzx, chunkSize: 40_000 })));
  test("LZMS", () => refused("PRESTAGE_WIM_SOLID", wimWithMetadata(small, [], { flags: compressionFlags("lzms"), chunkSize: 32768 })));
  test("being written", () => refused("PRESTAGE_WIM_UNFINISHED", at(16, 0x40)));
  test("a pipable WIM", () => refused("PRESTAGE_WIM_PIPABLE", changed(wim, (copy) => copy.write("WLPWM"))));
  test("a part of a split set", () => refused("PRESTAGE_WIM_SPLIT", at(40, 0x0002_0001)));
  test("too many images", () => refused("PRESTAGE_WIM_HEADER", at(44, 65536)));
  test("more images than there are", () => refused("PRESTAGE_WIM_BLOB_TABLE", at(44, 2)));
  test("a blob table past the end", () => refused("PRESTAGE_WIM_TRUNCATED", at(56, wim.length - 10)));
  test("a blob table of 2^55 bytes", () => refused("PRESTAGE_WIM_LIMIT", changed(wim, (copy) => copy.writeUInt8(0x80, 54))));
});

describe("blob tables and resources", () => {
  test("two blobs on the same bytes", () => refused("PRESTAGE_WIM_BLOB_TABLE", withBlobs([blob(400, 50, 50), blob(449, 50, 50, 0, "22".repeat(20))])));
  test("a blob over the header", () => refused("PRESTAGE_WIM_BLOB_TABLE", withBlobs([blob(100, 50, 50)])));
  test("a blob past the end", () => refused("PRESTAGE_WIM_TRUNCATED", withBlobs([blob(400, 2 ** 40, 2 ** 40)])));
  test("an uncompressed blob with two sizes", () => refused("PRESTAGE_WIM_BLOB_TABLE", withBlobs([blob(600, 50, 2 ** 40)])));
  test("a blob stored in no bytes", () => refused("PRESTAGE_WIM_BLOB_TABLE", withBlobs([blob(450, 0, 30_000, resourceFlags.compressed, "22".repeat(20)), blob(450, 50, 30_000, resourceFlags.compressed)], lzx)));
  test("a resource of another stored size at the same place is not lent the chunk table of the one before", async () => {
    const wim = await openWim(memorySource(withBlobs([blob(450, 50, 30_000, resourceFlags.compressed)], lzx)));
    const { resource } = wim.blob("11".repeat(20));
    assert.deepEqual((await wim.chunkTable(resource)).sizes, [50]);
    assert.deepEqual((await wim.chunkTable({ ...resource, storedSize: 40 })).sizes, [40]);
    await assert.rejects(wim.chunkTable({ ...resource, storedSize: 0 }), { code: "PRESTAGE_WIM_RESOURCE" });
  });
  test("a solid resource", () => refused("PRESTAGE_WIM_SOLID", withBlobs([blob(600, 50, 50, resourceFlags.solid)])));
  test("two references to metadata", () => refused("PRESTAGE_WIM_BLOB_TABLE", withBlobs([{ ...blob(600, 50, 50, resourceFlags.metadata), referenceCount: 2 }])));
  test("a bomb: a chunk table that cannot fit", () => refused("PRESTAGE_WIM_RESOURCE", withBlobs([blob(450, 50, 2 ** 30, resourceFlags.compressed)], lzx)));
  test("more chunks than allowed", () => refused("PRESTAGE_WIM_LIMIT", withBlobs([blob(450, 50, 2 ** 50, resourceFlags.compressed)], lzx)));
  test("a chunk table that lies", () => refused("PRESTAGE_WIM_RESOURCE", withBlobs([blob(450, 50, 100_000, resourceFlags.compressed)], lzx)));
  test("a chunk of noise", () => refused("PRESTAGE_WIM_DECOMPRESS", withBlobs([blob(450, 50, 30_000, resourceFlags.compressed)], lzx)));
  test("data with another hash", () => refused("PRESTAGE_WIM_BLOB_HASH", withBlobs([blob(450, 50, 50)])));
  test("a hash nothing is filed under", async () => {
    const wim = await openWim(memorySource(wimWithMetadata(small)));
    await assert.rejects(async () => { for await (const piece of readBlob(wim, "33".repeat(20))) assert.fail(`${piece.length}`); }, { code: "PRESTAGE_WIM_BLOB_MISSING" });
  });
  test("an entry that names missing data", () => {
    const entry = plain("f");
    entry.fill(0x44, 64, 84);
    return refused("PRESTAGE_WIM_BLOB_MISSING", wimWithMetadata(metadataOf([[{ raw: folder(""), list: 1 }], [{ raw: entry }]])));
  });
});

describe("XML", () => {
  const cases: [string, string][] = [
    ["an entity of its own", '<!DOCTYPE a [<!ENTITY b "b">]><WIM><IMAGE INDEX="1"/></WIM>'], ["too deep", `<WIM><IMAGE INDEX="1"/>${"<a>".repeat(40)}${"</a>".repeat(40)}</WIM>`],
    ["not closed", '<WIM><IMAGE INDEX="1">'], ["closed wrongly", '<WIM><IMAGE INDEX="1"></WIM></IMAGE>'], ["another root", '<MIW><IMAGE INDEX="1"/></MIW>'],
    ["no image", "<WIM></WIM>"], ["image 2 only", '<WIM><IMAGE INDEX="2"/></WIM>'], ["image 1 twice", '<WIM><IMAGE INDEX="1"/><IMAGE INDEX="1"/></WIM>'],
    ["a character out of range", '<WIM><IMAGE INDEX="1"><NAME>&#x110000;</NAME></IMAGE></WIM>'], ["nothing", ""], ["long tags", `<WIM ${"a ".repeat(100_000)}`], ["zeros", `${"\0".repeat(300_000)}x`],
  ];
  for (const [name, text] of cases) test(name, () => refused("PRESTAGE_WIM_XML", withXml(text)));
  test("an encrypted ESD", () => refused("PRESTAGE_WIM_ENCRYPTED", withXml('<WIM><ESD><ENCRYPTED/></ESD><IMAGE INDEX="1"/></WIM>')));
  test("what Windows says of itself is read", async () => {
    const wim = await openWim(memorySource(withXml('<WIM><IMAGE INDEX="1"><NAME>A &amp; B</NAME><WINDOWS><ARCH>9</ARCH><EDITIONID>Pro</EDITIONID><LANGUAGES><LANGUAGE>en-US</LANGUAGE><DEFAULT>en-US</DEFAULT></LANGUAGES><VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>26100</BUILD></VERSION></WINDOWS></IMAGE></WIM>')));
    const [image] = wim.xml.images;
    assert.equal(image!.name, "A & B");
    assert.deepEqual(image!.windows, { architecture: 9, productName: undefined, editionId: "Pro", installationType: undefined, languages: ["en-US"], defaultLanguage: "en-US", version: "10.0.26100", build: 26100, servicePackBuild: undefined, servicePackLevel: undefined, productType: undefined, productSuite: undefined, hal: undefined, systemRoot: undefined });
  });
});

describe("directory trees", () => {
  const root = (list: number): { raw: Buffer; list: number }[] => [{ raw: folder(""), list }];
  test("a cycle", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([root(1), [{ raw: folder("a"), list: 1 }]]))));
  test("two directories with one list", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([root(1), [{ raw: folder("a"), list: 2 }, { raw: folder("b"), list: 2 }], [{ raw: plain("f") }]]))));
  test("a file for a root", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([[{ raw: plain("") }]]))));
  test("no root", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(Buffer.alloc(32))));
  for (const length of [9n, 101n, 1n << 40n, (1n << 64n) - 1n]) {
    test(`an entry of length ${length}`, () => {
      const raw = plain("f");
      raw.writeBigUInt64LE(length);
      return refused(length > 1n << 53n ? "PRESTAGE_WIM_LIMIT" : "PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([root(1), [{ raw }]])));
    });
  }
  test("a name of odd length", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([root(1), [{ raw: changed(plain("ff"), (copy) => copy.writeUInt16LE(3, 100)) }]]))));
  test("300 streams that are not there", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(metadataOf([root(1), [{ raw: changed(plain("f"), (copy) => copy.writeUInt16LE(300, 96)) }]]))));
  test("a million security descriptors", () => refused("PRESTAGE_WIM_METADATA", wimWithMetadata(changed(small, (copy) => copy.writeUInt32LE(1_000_000, 4)))));
  test("more entries than allowed", () => refused("PRESTAGE_WIM_LIMIT", wimWithMetadata(small), { entries: 1 }));
  test("deeper than allowed, and as deep as allowed", async () => {
    const deep = wimWithMetadata(metadataOf([root(1), ...Array.from({ length: 20_000 }, (_, i) => [{ raw: folder("d"), list: i + 2 }]), []]));
    await refused("PRESTAGE_WIM_LIMIT", deep);
    const wim = await openWim(memorySource(deep), { limits: { depth: 30_000 } });
    assert.deepEqual(unsafeNames(await wim.readImage(1), "linux"), []);
  });
  test("deep and wide at once: a file of some megabytes that would name its entries by half a gigabyte", async () => {
    const files = Array.from({ length: 120_000 }, (_, i) => ({ raw: plain(`f${i}`) }));
    const wide = wimWithMetadata(metadataOf([root(1), ...Array.from({ length: 1999 }, (_, i) => [{ raw: folder("d"), list: i + 2 }]), files]));
    assert.ok(wide.length < 20_000_000);
    await refused("PRESTAGE_WIM_LIMIT", wide);
    await refused("PRESTAGE_WIM_LIMIT", wimWithMetadata(small), { pathCharacters: 1 });
    // What can be listed may be too much to be laid down.
    const wim = await openWim(memorySource(wimWithMetadata(metadataOf([root(1), ...Array.from({ length: 1900 }, (_, i) => [{ raw: folder("d"), list: i + 2 }]), files.slice(0, 40_000)]))));
    assert.equal([...walkEntries(await wim.readImage(1))].length, 41_900);
    await assert.rejects(extractImage(wim, 1, "/nonexistent/never/made"), { code: "PRESTAGE_WIM_LIMIT" });
  });
  test("a hash that does not fit", () => refused("PRESTAGE_WIM_METADATA", changed(wimWithMetadata(small), (copy) => copy.writeUInt8(1, headerSize + 100))));
});
