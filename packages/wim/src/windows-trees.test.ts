import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { makeEntry } from "./entry-write.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { inTemp, wimlib } from "./fixtures/wimlib.ts";
import { extendedAttributes, exportWim, memorySource, objectId, openAnyWim, openAnyWimFile, verifyBlobs, type AnyWim } from "./index.ts";

interface WindowsFile {
  readonly name: string;
  readonly shortName: string;
  readonly attributes: number;
  readonly times: readonly bigint[];
  readonly security: number;
  readonly data: string;
  readonly streams: readonly { readonly name: string; readonly data: string }[];
  readonly reparse: string | undefined;
  readonly objectId: boolean;
  readonly attribute: string | undefined;
}

const text = fc.constantFrom("", "one", "another", "one", "x".repeat(5000));
const time = fc.bigInt({ min: 116_444_736_000_000_000n, max: 140_000_000_000_000_000n });
const file: fc.Arbitrary<WindowsFile> = fc.record({
  name: fc.string({ unit: fc.constantFrom("a", "B", "é", "日", "😀", "z", " ", "-", "1"), minLength: 1, maxLength: 40 }).map((name) => `f${name}g`),
  shortName: fc.constantFrom("", "SHORT~1.TXT", "X"),
  attributes: fc.constantFrom(0x20, 0x21, 0x26, 0x80, 0x2020, 0x800, 0x200),
  times: fc.tuple(time, time, time),
  security: fc.constantFrom(-1, 0, 1),
  data: text,
  streams: fc.uniqueArray(fc.record({ name: fc.constantFrom("Zone.Identifier", "ads", "日本"), data: text }), { selector: ({ name }) => name, maxLength: 3 }),
  reparse: fc.option(fc.constantFrom("reparse data", "other reparse data"), { nil: undefined, freq: 4 }),
  objectId: fc.boolean(),
  attribute: fc.option(fc.constantFrom("value", ""), { nil: undefined }),
});

const sha1 = (data: string): Buffer => createHash("sha1").update(data).digest();

function streamEntry(name: string, data: string): Buffer {
  const length = Math.ceil((38 + (name === "" ? 0 : name.length * 2 + 2)) / 8) * 8;
  const bytes = Buffer.alloc(length);
  bytes.writeBigUInt64LE(BigInt(length));
  if (data !== "") sha1(data).copy(bytes, 16);
  bytes.writeUInt16LE(name.length * 2, 36);
  bytes.write(name, 38, "utf16le");
  return bytes;
}

function item(tag: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(Math.ceil((8 + data.length) / 8) * 8);
  bytes.writeUInt32LE(tag, 0);
  bytes.writeUInt32LE(data.length, 4);
  data.copy(bytes, 8);
  return bytes;
}

/** A directory entry as Windows tools write it. */
function entryOf(model: WindowsFile): Buffer {
  const nameEnd = 102 + model.name.length * 2 + 2;
  const shortEnd = nameEnd + (model.shortName === "" ? 0 : model.shortName.length * 2 + 2);
  const head = Buffer.alloc(Math.ceil(shortEnd / 8) * 8);
  makeEntry(model.name, false, 0n, undefined).copy(head, 0, 0, nameEnd);
  head.writeUInt32LE(model.reparse === undefined ? model.attributes : (model.attributes & ~0x80) | 0x400, 8);
  head.writeInt32LE(model.security, 12);
  for (const [i, value] of model.times.entries()) head.writeBigUInt64LE(value, 40 + 8 * i);
  if (model.reparse !== undefined) head.writeUInt32LE(0x80000013, 88);
  head.writeUInt16LE(model.shortName.length * 2, 98);
  head.write(model.shortName, nameEnd, "utf16le");
  const attribute = model.attribute === undefined ? [] : [item(2, Buffer.concat([Buffer.from([model.attribute.length, 0, 4, 0]), Buffer.from(`NAME\0${model.attribute}`)]))];
  const items = [...(model.objectId ? [item(1, Buffer.from("0123456789abcdef".repeat(4)))] : []), ...attribute];
  const plain = model.streams.length === 0 && model.reparse === undefined;
  const streams = plain ? [] : [...(model.reparse === undefined ? [] : [streamEntry("", model.reparse)]), streamEntry("", model.data), ...model.streams.map(({ name, data }) => streamEntry(name, data))];
  if (plain && model.data !== "") sha1(model.data).copy(head, 64);
  head.writeUInt16LE(streams.length, 96);
  head.writeBigUInt64LE(BigInt(head.length + items.reduce((sum, bytes) => sum + bytes.length, 0)));
  return Buffer.concat([head, ...items, ...streams]);
}

const descriptors = ["0100048014000000240000000000000000000000010200000000000520000000200200000102000000000005200000002002000000", "0100048014000000240000000000000000000000010200000000000520000000210200000102000000000005200000002102000000"].map((hex) => Buffer.from(hex, "hex"));

function wimOf(files: readonly WindowsFile[]): Buffer {
  const [one, two] = descriptors as [Buffer, Buffer];
  const security = Buffer.alloc(Math.ceil((24 + one.length + two.length) / 8) * 8);
  security.writeUInt32LE(security.length, 0);
  security.writeUInt32LE(2, 4);
  security.writeUInt32LE(one.length, 8);
  security.writeUInt32LE(two.length, 16);
  Buffer.concat([one, two]).copy(security, 24);
  const root = makeEntry("", true, 5n, undefined);
  root.writeBigUInt64LE(BigInt(security.length + root.length + 8), 16);
  const doomed = makeEntry("doomed", false, 5n, undefined);
  const blobs = new Set(files.flatMap((model) => [model.data, model.reparse ?? "", ...model.streams.map(({ data }) => data)]).filter((data) => data !== ""));
  return wimWithMetadata(Buffer.concat([security, root, Buffer.alloc(8), ...files.map(entryOf), doomed, Buffer.alloc(8)]), [...blobs].map((data) => Buffer.from(data)));
}

/** Everything about the files of a WIM, in a form that can be compared. */
async function describeFiles(wim: AnyWim): Promise<Map<string, unknown>> {
  const image = await wim.readImage(1);
  const entries = image.root.children.filter(({ name }) => name !== "doomed");
  return new Map(entries.map((entry) => [entry.name, {
    shortName: entry.shortName, attributes: entry.attributes, times: [entry.created, entry.accessed, entry.written].map(String), sha1: entry.sha1, streams: [...entry.streams].sort((a, b) => (a.name < b.name ? -1 : 1)),
    reparse: [entry.reparseTag, entry.reparseSha1], security: Buffer.from(image.securityDescriptors[entry.securityIndex] ?? []).toString("hex"), objectId: Buffer.from(objectId(entry) ?? []).toString(),
    attributesOfFile: extendedAttributes(entry).map(({ name, flags, value }) => [name, flags, Buffer.from(value).toString()]),
  }] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test("what Windows files have is read as wimlib reads it: short names, streams, descriptors, reparse data, object ids, extended attributes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(file, { selector: ({ name }) => name.toUpperCase(), maxLength: 8 }), async (files) => {
      await inTemp(async (folder) => {
        const at = (name: string): string => join(folder, name);
        const made = await openAnyWim(memorySource(wimOf(files)));
        const expected = await describeFiles(made);
        assert.equal(expected.size, files.length);
        for (const model of files) {
          const found = expected.get(model.name) as { sha1?: string; streams: { name: string; sha1?: string }[]; reparse: unknown[] };
          assert.equal(found.sha1, model.data === "" ? undefined : sha1(model.data).toString("hex"));
          assert.deepEqual(found.streams.map(({ name }) => name), model.streams.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1)));
          assert.equal(found.reparse[1], model.reparse === undefined ? undefined : sha1(model.reparse).toString("hex"));
        }
        // Our export keeps every byte; an update makes wimlib write the tree anew from what it understood.
        await exportWim({ images: [{ wim: made, image: 1 }] }, at("ours.wim"));
        await wimlib("verify", at("ours.wim"));
        await writeFile(at("theirs.wim"), wimOf(files));
        await wimlib("update", at("theirs.wim"), "1", "--command=delete /doomed", "--rebuild");
        for (const name of ["ours.wim", "theirs.wim"]) {
          const wim = await openAnyWimFile(at(name));
          assert.deepEqual(await describeFiles(wim), expected, name);
          await verifyBlobs(wim);
          await wim.close();
        }
      });
    }),
    { numRuns: 30 },
  );
});
