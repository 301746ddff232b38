import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { makeEntry } from "./entry-write.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { inTemp, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, findEntry, memorySource, openWim, openWimFile } from "./index.ts";

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

/** An extra stream entry: `u64 length | u64 0 | SHA-1 | u16 name bytes | name | u16 0`, padded to 8. */
function stream(name: string, text: string): Buffer {
  const length = Math.ceil((38 + (name === "" ? 0 : name.length * 2 + 2)) / 8) * 8;
  const bytes = Buffer.alloc(length);
  bytes.writeBigUInt64LE(BigInt(length));
  bytes.write(sha1(text), 16, "hex");
  bytes.writeUInt16LE(name.length * 2, 36);
  bytes.write(name, 38, "utf16le");
  return bytes;
}

/** An entry as Windows tools write them: short name, unknown fields, object id, named streams, or a reparse point with data. */
function windowsEntry(name: string, shortName: string, streams: Buffer[], attributes = 0x20, tag = 0): Buffer {
  const nameEnd = 102 + name.length * 2 + 2;
  const shortEnd = nameEnd + (shortName === "" ? 0 : shortName.length * 2 + 2);
  const items = Math.ceil(shortEnd / 8) * 8;
  const raw = Buffer.alloc(items + 24);
  makeEntry(name, false, 132_000_000_000_000_000n, undefined).copy(raw, 0, 0, nameEnd);
  raw.writeBigUInt64LE(BigInt(raw.length));
  raw.writeUInt32LE(attributes, 8);
  raw.writeInt32LE(1, 12);
  raw.writeUInt32LE(0xcafe, 84);
  raw.writeUInt32LE(tag, 88);
  raw.writeUInt16LE(streams.length, 96);
  raw.writeUInt16LE(shortName.length * 2, 98);
  raw.write(shortName, nameEnd, "utf16le");
  raw.writeUInt32LE(0x5555, items);
  raw.writeUInt32LE(16, items + 4);
  raw.write("unknown item, 16", items + 8, "latin1");
  return Buffer.concat([raw, ...streams]);
}

const descriptor = Buffer.from("0100048014000000240000000000000000000000010200000000000520000000200200000102000000000005200000002002000000", "hex");

/** Two descriptors, of which the second is used; root; a file with a named stream; a reparse point with reparse data and file data. */
function windowsMetadata(): Buffer {
  const other = Buffer.from(descriptor).fill(7, 24, 28);
  const security = Buffer.alloc(Math.ceil((8 + 16 + 2 * descriptor.length) / 8) * 8);
  security.writeUInt32LE(security.length, 0);
  security.writeUInt32LE(2, 4);
  security.writeUInt32LE(other.length, 8);
  security.writeUInt32LE(descriptor.length, 16);
  other.copy(security, 24);
  descriptor.copy(security, 24 + other.length);
  const root = makeEntry("", true, 5n, undefined);
  root.writeBigUInt64LE(BigInt(security.length + root.length + 8), 16);
  const file = windowsEntry("long name.txt", "LONGNA~1.TXT", [stream("", "unnamed"), stream("ads", "named")]);
  const dedup = windowsEntry("placeholder", "", [stream("", "reparse"), stream("", "unnamed")], 0x420, 0x80000013);
  return Buffer.concat([security, root, Buffer.alloc(8), file, dedup, Buffer.alloc(8)]);
}

test("what only Windows tools write is read, and survives a merge byte for byte", async () => {
  await inTemp(async (folder) => {
    const wim = await openWim(memorySource(wimWithMetadata(windowsMetadata(), ["unnamed", "named", "reparse"].map((text) => Buffer.from(text)))));
    const before = await wim.readImage(1);
    const [file, dedup] = before.root.children;
    assert.equal(file!.shortName, "LONGNA~1.TXT");
    assert.equal(file!.sha1, sha1("unnamed"));
    assert.deepEqual(file!.streams, [{ name: "ads", sha1: sha1("named") }]);
    assert.equal(dedup!.reparseTag, 0x80000013);
    assert.equal(dedup!.reparseSha1, sha1("reparse"));
    assert.equal(dedup!.sha1, sha1("unnamed"));
    const output = join(folder, "out.wim");
    await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "i", sources: [{ kind: "tree", wim, image: 1, destination: "t" }] }] }, output);
    const built = await openWimFile(output);
    const image = await built.readImage(1);
    assert.deepEqual(image.securityDescriptors.map((bytes) => Buffer.from(bytes)), [descriptor]);
    for (const entry of before.root.children) {
      const after = findEntry(image, `t/${entry.name}`)!;
      assert.equal(after.securityIndex, 0);
      const expected = Buffer.from(entry.raw);
      expected.writeInt32LE(0, 12);
      expected.copy(expected, 48, 56, 64);
      assert.ok(expected.equals(after.raw), entry.name);
    }
    assert.equal(built.blob(sha1("unnamed")).referenceCount, 2);
    await built.close();
    await wimlib("verify", output);
    const listing = await wimlib("dir", output, "1", "--detailed");
    for (const expected of ['Short Name          = "LONGNA~1.TXT"', 'Named data stream "ads"', "Reparse Tag         = 0x80000013"]) assert.ok(listing.includes(expected), `${expected} in ${listing}`);
  });
});
