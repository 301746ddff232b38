import assert from "node:assert/strict";
import { test } from "node:test";
import { makeEntry } from "./entry-write.ts";
import { StoredEntry } from "./entry.ts";
import { extendedAttributes, linuxXattrs, objectId, taggedItems } from "./index.ts";

/** An entry with these items behind its name. */
function withItems(...items: [tag: number, data: Buffer][]): StoredEntry {
  const head = makeEntry("f", false, 0n, undefined);
  const tail = items.map(([tag, data]) => {
    const bytes = Buffer.alloc(Math.ceil((8 + data.length) / 8) * 8);
    bytes.writeUInt32LE(tag, 0);
    bytes.writeUInt32LE(data.length, 4);
    data.copy(bytes, 8);
    return bytes;
  });
  const raw = Buffer.concat([head, ...tail]);
  raw.writeBigUInt64LE(BigInt(raw.length));
  return new StoredEntry(raw, -1);
}
const text = (value: Uint8Array): string => Buffer.from(value).toString("latin1");

test("an object id of 16 or 64 bytes is read; a short one is none", () => {
  const id = Buffer.from("0123456789abcdef");
  assert.deepEqual(Buffer.from(objectId(withItems([1, id]))!), id);
  assert.equal(objectId(withItems([1, Buffer.alloc(64, 7)]))?.length, 64);
  assert.equal(objectId(withItems([1, Buffer.alloc(15)])), undefined);
  assert.equal(objectId(withItems()), undefined);
});

test("extended attributes stand one behind the other, without padding", () => {
  const data = Buffer.concat([Buffer.from([3, 0, 2, 0x80]), Buffer.from("EA\0abc"), Buffer.from([0, 0, 6, 0]), Buffer.from("user.x\0")]);
  const entry = withItems([0x5555, Buffer.from("unknown")], [2, data]);
  assert.deepEqual(extendedAttributes(entry).map(({ name, flags, value }) => [name, flags, text(value)]), [["EA", 0x80, "abc"], ["user.x", 0, ""]]);
  assert.deepEqual(linuxXattrs(entry).map(({ name }) => name), ["user.x"]);
  assert.deepEqual(taggedItems(entry).map(({ tag, data: bytes }) => [tag, bytes.length]), [[0x5555, 7], [2, data.length]]);
});

test("the item of old releases for attributes of Linux", () => {
  const one = (name: string, value: string): Buffer => {
    const bytes = Buffer.alloc(Math.ceil((8 + name.length + value.length) / 4) * 4);
    bytes.writeUInt16LE(name.length, 0);
    bytes.writeUInt32LE(value.length, 4);
    bytes.write(name + value, 8, "latin1");
    return bytes;
  };
  const entry = withItems([0x337dd874, Buffer.concat([one("user.a", "value"), one("security.capability", "xyz")])]);
  assert.deepEqual(linuxXattrs(entry).map(({ name, value }) => [name, text(value)]), [["user.a", "value"], ["security.capability", "xyz"]]);
});

test("lists that lie about their lengths end where they stop fitting", () => {
  for (const tag of [2, 0x337dd874]) {
    for (let length = 0; length < 20; length++) {
      const entry = withItems([tag, Buffer.alloc(length, 0xff)]);
      assert.deepEqual([extendedAttributes(entry), linuxXattrs(entry)], [[], []]);
    }
  }
  const lying = withItems([2, Buffer.from("x")]);
  lying.raw.writeUInt32LE(1000, lying.raw.length - 12);
  assert.deepEqual([taggedItems(lying), extendedAttributes(lying)], [[], []]);
});
