import assert from "node:assert/strict";
import { test } from "node:test";
import { cellSize, newKey, writeBinHeader } from "./hive-cells.ts";
import { putKey } from "./hive-edit.ts";
import { baseBlockSize, baseChecksum, binHeader, Hive, keyField, noCell } from "./hive.ts";

const at = new Date("2026-01-02T03:04:05Z");
const hostile = { code: "PRESTAGE_DISK_BAD_REGISTRY" };

/** A hive of these cells; the last one is the root. A few megabytes that say they are terabytes. */
function craft(make: (add: (data: Buffer) => number) => Buffer): Buffer {
  const cells: Buffer[] = [];
  let offset = binHeader;
  const add = (data: Buffer): number => {
    const cell = Buffer.alloc(cellSize(data.length));
    cell.writeInt32LE(-cell.length);
    data.copy(cell, 4);
    cells.push(cell);
    offset += cell.length;
    return offset - cell.length;
  };
  const root = add(make(add));
  const size = Math.ceil(offset / 4096) * 4096;
  const bytes = Buffer.concat([Buffer.alloc(baseBlockSize + binHeader), ...cells, Buffer.alloc(size - offset)]);
  bytes.write("regf", "latin1");
  for (const [place, number] of [[4, 1], [8, 1], [0x14, 1], [0x18, 5], [0x20, 1], [0x24, root], [0x28, size], [0x2c, 1]] as const) bytes.writeUInt32LE(number, place);
  writeBinHeader(bytes, 0, size, at);
  if (offset < size) bytes.writeInt32LE(size - offset, baseBlockSize + offset);
  bytes.writeUInt32LE(baseChecksum(bytes), 0x1fc);
  return bytes;
}

function key(fields: Partial<Record<"subkeys" | "subkeyList" | "values" | "valueList", number>>): Buffer {
  const made = newKey(Buffer.from("ROOT"), 0x20, noCell, noCell, at);
  for (const [name, value] of Object.entries(fields)) made.writeUInt32LE(value, keyField[name as keyof typeof fields]);
  return made;
}

function list(kind: string, offset: number, count: number): Buffer {
  const width = kind === "ri" ? 4 : 8;
  const made = Buffer.alloc(4 + count * width);
  made.write(kind, "latin1");
  made.writeUInt16LE(count, 2);
  for (let i = 0; i < count; i++) made.writeUInt32LE(offset, 4 + i * width);
  return made;
}

function value(dataAt: number, size: number): Buffer {
  const made = Buffer.alloc(0x18);
  made.write("vk", "latin1");
  for (const [place, number] of [[4, size], [8, dataAt], [0xc, 1], [0x10, 1]] as const) made.writeUInt32LE(number, place);
  made.writeUInt16LE(1, 2);
  made.write("N", 0x14, "latin1");
  return made;
}

test("a list that names one list of keys again and again is given up at the number of keys it should have", () => {
  const bytes = craft((add) => key({ subkeys: 3, subkeyList: add(list("ri", add(list("lf", 8, 60_000)), 60_000)) }));
  assert.throws(() => new Hive(bytes).subkeys(new Hive(bytes).rootOffset), hostile);
  assert.throws(() => putKey(bytes, ["Select"], {}, at), hostile);
});

test("one large value named a million times is read no million times", () => {
  const bytes = craft((add) => {
    const large = add(value(add(Buffer.alloc(8 << 20, 0x41)), 8 << 20));
    const names = Buffer.alloc(200_000 * 4);
    for (let i = 0; i < 200_000; i++) names.writeUInt32LE(large, i * 4);
    return key({ values: 200_000, valueList: add(names) });
  });
  assert.throws(() => new Hive(bytes).read([]), hostile);
  // Who looks for a name reads names.
  const started = performance.now();
  assert.equal(new Hive(putKey(bytes, [], { values: { Other: { type: "dword", number: 1 } } }, at)).valueName(binHeader + cellSize(8 << 20)), "N");
  assert.ok(performance.now() - started < 5000);
});

test("data in parts is made of as many parts as its size needs, whatever their list says", () => {
  const bytes = craft((add) => {
    const part = add(Buffer.alloc(16_344, 7));
    const parts = Buffer.alloc(65_535 * 4);
    for (let i = 0; i < 65_535; i++) parts.writeUInt32LE(part, i * 4);
    const block = Buffer.alloc(8);
    block.write("db", "latin1");
    block.writeUInt16LE(65_535, 2);
    block.writeUInt32LE(add(parts), 4);
    const names = Buffer.alloc(4);
    names.writeUInt32LE(add(value(add(block), 40_000)));
    return key({ values: 1, valueList: add(names) });
  });
  const before = process.memoryUsage.rss();
  const found = new Hive(bytes).read([])?.values?.["N"];
  assert.equal(found?.type === "string" ? found.text.length : 0, 20_000);
  assert.ok(process.memoryUsage.rss() - before < 500 << 20);
});
