import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { biosMessageCode } from "./boot-code.ts";
import { fatClusterSectors } from "./fat-volume.ts";
import { planPartitions } from "./partition-plan.ts";

const mebibyte = 1 << 20;

test("partitions lie on whole MiB, do not overlap and leave room for both tables", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1200 * mebibyte, max: 2 ** 42 }), (size) => {
      const { esp, volume } = planPartitions(size);
      for (const value of [esp.start, esp.size, volume.start, volume.size]) assert.equal(value % mebibyte, 0);
      assert.equal(esp.start, mebibyte);
      assert.equal(volume.start, esp.start + esp.size);
      assert.ok(size - (volume.start + volume.size) >= mebibyte);
      assert.ok(size - (volume.start + volume.size) < 2 * mebibyte);
    }),
  );
});

test("a disk that is too small is refused with the size it would need", () => {
  assert.throws(() => planPartitions(1024 * mebibyte, { volumeBytes: 500 * mebibyte }), { code: "PRESTAGE_DISK_TOO_SMALL", message: /at least 1526 MiB, found 1024 MiB/ });
  assert.doesNotThrow(() => planPartitions(1526 * mebibyte, { volumeBytes: 500 * mebibyte }));
});

test("an EFI system partition always has the clusters FAT32 needs", () => {
  assert.equal(fatClusterSectors(1024 * mebibyte, 512), 8);
  for (const size of [64, 100, 260, 512, 1024].map((count) => count * mebibyte)) assert.ok(size / (fatClusterSectors(size, 512) * 512) > 65525);
  assert.throws(() => fatClusterSectors(16 * mebibyte, 512), { code: "PRESTAGE_DISK_TOO_SMALL" });
});

test("the text of a BIOS start fits before the partition table's fields", () => {
  const code = Buffer.from(biosMessageCode());
  assert.equal(code.length, 440);
  assert.ok(code.includes("Prestage needs UEFI"));
  const address = code.readUInt16LE(15);
  assert.equal(code.toString("latin1", address - 0x7c00, address - 0x7c00 + 10), "\r\nPrestage");
  assert.throws(() => biosMessageCode("x".repeat(410)), RangeError);
});
