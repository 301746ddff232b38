import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DiskError } from "../error.ts";
import { hivexml, hivexsh } from "../fixtures/hivex.ts";
import { emptyHive } from "./empty-hive.ts";
import { putKey } from "./hive-edit.ts";
import { baseChecksum, Hive } from "./hive.ts";
import type { RegistryKey } from "./registry-key.ts";

const at = new Date("2026-01-02T03:04:05Z");

const tree: RegistryKey = {
  keys: {
    Alpha: { values: { Text: { type: "string", text: "häkchen" }, Number: { type: "dword", number: 0xfffffffe }, Bytes: { type: "binary", bytes: Buffer.alloc(9000, 7) }, "": { type: "expand", text: "%SystemRoot%" } } },
    "über": { values: { Several: { type: "multi", texts: ["one", "two"] }, "名": { type: "binary", bytes: Buffer.alloc(0) } } },
    "{9dea862c-5cdd-4e70-acc1-f32b344d4795}": { keys: { Elements: { keys: { "11000001": { values: { Element: { type: "binary", bytes: Buffer.from([1, 2, 3]) } } } } } } },
  },
};

test("a hive made from nothing is read back by us and by hivex", () => {
  const bytes = putKey(emptyHive("NewStoreRoot", at), [], tree, at);
  assert.deepEqual(new Hive(bytes).read([]), {
    keys: { Alpha: { values: { Text: { type: "string", text: "häkchen" }, Number: { type: "dword", number: 0xfffffffe }, Bytes: { type: "binary", bytes: Buffer.alloc(9000, 7) }, "": { type: "expand", text: "%SystemRoot%" } } }, "{9dea862c-5cdd-4e70-acc1-f32b344d4795}": tree.keys?.["{9dea862c-5cdd-4e70-acc1-f32b344d4795}"], "über": tree.keys?.["über"] },
  });
  assert.equal(hivexsh(bytes, "ls\n").said, "Alpha\n{9dea862c-5cdd-4e70-acc1-f32b344d4795}\nüber\n");
  assert.match(hivexsh(bytes, "cd Alpha\nlsval\n").said, /"Text"="häkchen"\n"Number"=dword:fffffffe\n"Bytes"=hex\(3\):07,07/);
  assert.equal(hivexsh(bytes, "cd \\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements\\11000001\nlsval\n").said.trim(), '"Element"=hex(3):01,02,03');
  // Every key and value, with its structure checked.
  assert.equal(hivexml(bytes).match(/<node /g)?.length, 6);
});

test("a hive that hivex wrote is changed: what is there stays, what differs is replaced, and hivex reads and writes it again", () => {
  const many = Array.from({ length: 1200 }, (_, i) => `add key${i}\n`).join("");
  const made = hivexsh(emptyHive("ROOT", at), `add ControlSet001\ncd ControlSet001\nadd Services\ncd Services\n${many}add Keep\ncd Keep\nsetval 2\nStart\ndword:3\nName\nstring:kept\ncommit\n`).bytes;
  const path = ["controlset001", "SERVICES"];
  const first = putKey(made, path, { keys: { PrestageAgent: { values: { Start: { type: "dword", number: 2 }, ImagePath: { type: "expand", text: "C:\\a.exe" } } }, keep: { values: { start: { type: "dword", number: 4 } } } } }, at);
  const second = putKey(first, path, { keys: { PrestageAgent: { values: { ImagePath: { type: "expand", text: "C:\\a much longer path\\b.exe" } } } } }, at);
  assert.equal(putKey(second, path, { keys: { PrestageAgent: { values: { Start: { type: "dword", number: 2 } } } } }, at), second, "nothing to change, nothing changed");
  const [one, other] = [first, second].map((bytes) => bytes.readUInt32LE(4));
  assert.ok(one !== undefined && other === one + 1 && second.readUInt32LE(8) === other);
  const read = new Hive(second).read(path);
  assert.equal(Object.keys(read?.keys ?? {}).length, 1202);
  assert.deepEqual(read?.keys?.["Keep"]?.values, { Start: { type: "dword", number: 4 }, Name: { type: "string", text: "kept" } });
  const list = hivexsh(second, "cd ControlSet001\\Services\nls\n").said.trim().split("\n");
  assert.equal(list.length, 1202);
  assert.deepEqual(list, list.toSorted((a, b) => (a.toUpperCase() < b.toUpperCase() ? -1 : 1)), "Windows looks names up by halving");
  assert.match(hivexsh(second, "cd ControlSet001\\Services\\PrestageAgent\nlsval\n").said, /"Start"=dword:00000002\n"ImagePath"=str\(2\):"C:\\\\a much longer path\\\\b.exe"/);
  const third = hivexsh(second, "cd ControlSet001\\Services\\PrestageAgent\nadd Parameters\ncommit\n");
  assert.equal(hivexml(third.bytes).match(/<node /g)?.length, 1206);
});

test("a hive whose changes lie in its transaction logs alone is refused, and so is one that is cut or altered", () => {
  const bytes = putKey(emptyHive("ROOT", at), [], tree, at);
  const dirty = Buffer.from(bytes);
  dirty.writeUInt32LE(dirty.readUInt32LE(4) + 1, 4);
  dirty.writeUInt32LE(baseChecksum(dirty), 0x1fc);
  assert.throws(() => new Hive(dirty), { code: "PRESTAGE_DISK_BAD_REGISTRY", message: /transaction logs.*Shut the computer/s });
  for (const length of [0, 100, 4096, bytes.length - 1]) assert.throws(() => new Hive(bytes.subarray(0, length)), { code: "PRESTAGE_DISK_BAD_REGISTRY" });
});

test("no altered hive makes reading or changing it hang, run out of its bytes, or throw anything but the error that says so", () => {
  const bytes = putKey(emptyHive("ROOT", at), [], tree, at);
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0x20, max: bytes.length - 4 }), fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 600 }).map((n) => n * 8))), { minLength: 1, maxLength: 8 }), (changes) => {
    const altered = Buffer.from(bytes);
    for (const [offset, value] of changes) altered.writeUInt32LE(value, offset);
    altered.writeUInt32LE(baseChecksum(altered), 0x1fc);
    for (const act of [() => new Hive(altered).read([]), () => putKey(altered, ["Alpha"], { values: { Text: { type: "string", text: "other" } }, keys: { New: {} } }, at)]) {
      try {
        act();
      } catch (error) {
        assert.ok(error instanceof DiskError && error.code === "PRESTAGE_DISK_BAD_REGISTRY", String(error instanceof Error ? error.stack : error));
      }
    }
  }), { numRuns: 2000 });
});
