import assert from "node:assert/strict";
import { test } from "node:test";
import { readCapture } from "./capture.ts";

function packet(frame: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(10, 0);
  header.writeUInt32LE(500_000, 4);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}
const fileHeader = Buffer.concat([Buffer.from("d4c3b2a1", "hex"), Buffer.alloc(20)]);

test("who speaks with whom, of which kind and in which VLAN; a packet cut off at the end is left out", () => {
  const plain = packet(Buffer.from("5254001234565255 0a000202 0800 4500".replaceAll(" ", ""), "hex"));
  const tagged = packet(Buffer.from("ffffffffffff525400123456 8100 602a 0800".replaceAll(" ", ""), "hex"));
  const read = readCapture(Buffer.concat([fileHeader, plain, tagged, plain.subarray(0, 20)]));
  assert.deepEqual(read, [
    { time: 10.5, destination: "52:54:00:12:34:56", source: "52:55:0a:00:02:02", etherType: 0x0800 },
    { time: 10.5, destination: "ff:ff:ff:ff:ff:ff", source: "52:54:00:12:34:56", etherType: 0x8100, vlan: 42 },
  ]);
});

test("what is no capture is refused; an empty one has no packets", () => {
  assert.throws(() => readCapture(Buffer.alloc(40)), { code: "PRESTAGE_LAB_BAD_CAPTURE" });
  assert.deepEqual(readCapture(Buffer.alloc(0)), []);
});
