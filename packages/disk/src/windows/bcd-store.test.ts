import assert from "node:assert/strict";
import { test } from "node:test";
import { documentedElements, elementClasses, elementFormats } from "../fixtures/documented-bcd.ts";
import { hivexml, hivexsh } from "../fixtures/hivex.ts";
import { Hive } from "../registry/hive.ts";
import type { RegistryValue } from "../registry/registry-key.ts";
import { bcdStore } from "./bcd-store.ts";

const guids = { diskGuid: "00112233-4455-6677-8899-aabbccddeeff", espGuid: "11111111-2222-3333-4444-555555555555", volumeGuid: "deadbeef-0102-0304-0506-070809101112", locale: "de-DE" };
const store = bcdStore(guids, new Date(0));
const objects = new Hive(store).read(["Objects"])?.keys ?? {};

test("every element is one that is documented, of its class and format, and its data is of that format", () => {
  const checked = new Set<string>();
  for (const [id, { keys }] of Object.entries(objects)) {
    assert.match(id, /^\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/);
    assert.equal(keys?.["Description"]?.values?.["Type"]?.type, "dword");
    for (const [type, element] of Object.entries(keys?.["Elements"]?.keys ?? {})) {
      const documented = documentedElements[type];
      assert.ok(documented, `${type} is in none of the pages`);
      assert.deepEqual([type[0], type[1]], [elementClasses[documented.page], elementFormats[documented.format]], documented.name);
      const value = element.values?.["Element"];
      assert.ok(value && isOfFormat(value, documented.format), `${documented.name}: ${JSON.stringify(value)}`);
      checked.add(type);
    }
  }
  assert.deepEqual([...checked].toSorted(), Object.keys(documentedElements).toSorted(), "nothing is in the table in vain");
});

test("what inherits, is shown or is the default is in the store", () => {
  const named = Object.values(objects).flatMap(({ keys }) => Object.entries(keys?.["Elements"]?.keys ?? {})).filter(([type]) => ["3", "4"].includes(type[1] ?? "")).flatMap(([, { values }]) => (values?.["Element"]?.type === "multi" ? values["Element"].texts : values?.["Element"]?.type === "string" ? [values["Element"].text] : []));
  assert.ok(named.length >= 6);
  for (const id of named) assert.ok(objects[id], id);
});

test("devices name the disk and the partition by their GUIDs; the same disk has the same store, another one another loader", () => {
  const element = (id: string, type: string) => objects[id]?.keys?.["Elements"]?.keys?.[type]?.values?.["Element"];
  const manager = element("{9dea862c-5cdd-4e70-acc1-f32b344d4795}", "11000001");
  assert.ok(manager?.type === "binary");
  assert.equal(Buffer.from(manager.bytes).toString("hex"), ["00".repeat(16), "06000000", "00000000", "48000000", "00000000", "11111111222233334444555555555555", "00000000", "00000000", "33221100554477668899aabbccddeeff", "00".repeat(16)].join(""));
  assert.ok(bcdStore(guids, new Date(0)).equals(store));
  const loaders = (bytes: Buffer) => Object.keys(new Hive(bytes).read(["Objects"])?.keys ?? {});
  assert.notDeepEqual(loaders(bcdStore({ ...guids, volumeGuid: guids.espGuid }, new Date(0))), loaders(store));
  assert.throws(() => bcdStore({ ...guids, diskGuid: "none" }, new Date(0)), TypeError);
});

test("hivex reads all of it", () => {
  assert.equal(hivexsh(store, "cd Objects\\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements\\12000002\nlsval\n").said.trim(), '"Element"="\\\\EFI\\\\Microsoft\\\\Boot\\\\bootmgfw.efi"');
  const count = (key: { keys?: Readonly<Record<string, unknown>> }): number => 1 + Object.values(key.keys ?? {}).reduce<number>((sum, one) => sum + count(one as typeof key), 0);
  assert.equal(hivexml(store).match(/<node /g)?.length, count(new Hive(store).read([]) ?? {}));
});

function isOfFormat(value: RegistryValue, format: keyof typeof elementFormats): boolean {
  switch (format) {
    case "device": return value.type === "binary" && value.bytes.length === 0x58;
    case "string": return value.type === "string" && value.text !== "";
    case "object": return value.type === "string" && /^\{.{36}\}$/.test(value.text);
    case "object-list": return value.type === "multi" && value.texts.length > 0 && value.texts.every((one) => /^\{.{36}\}$/.test(one));
    case "integer": return value.type === "binary" && value.bytes.length === 8;
    case "boolean": return value.type === "binary" && value.bytes.length === 1;
  }
}
