import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { bootSwitchBlock, bootSwitchSector, readBootSwitch, switchBoot } from "./boot-switch.ts";

test("a boot switch reads back as it was written, and all of it lies in the first sector", () => {
  fc.assert(
    fc.property(fc.uuid(), (rootUuid) => {
      for (const state of [{ boot: "environment" }, { boot: "installed", rootUuid }, { boot: "windows" }] as const) {
        const block = bootSwitchBlock(state);
        assert.equal(block.length, 1024);
        assert.deepEqual(readBootSwitch(block), state);
        assert.ok(block.subarray(512).every((byte) => byte === 0x23));
        assert.deepEqual(bootSwitchSector(state), block.subarray(0, 512));
      }
    }),
  );
});

test("a switch overwrites the sector in place and keeps file, size and inode", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-switch-"));
  try {
    const path = join(folder, "prestage/boot.env");
    await mkdir(join(folder, "prestage"));
    await writeFile(path, bootSwitchBlock({ boot: "environment" }));
    const before = await stat(path);
    const rootUuid = "0f0e0d0c-0b0a-0908-0706-050403020100";
    await switchBoot(folder, { boot: "installed", rootUuid });
    assert.deepEqual(readBootSwitch(await readFile(path)), { boot: "installed", rootUuid });
    const after = await stat(path);
    assert.deepEqual([after.ino, after.size], [before.ino, 1024]);
    await switchBoot(folder, { boot: "environment" });
    assert.deepEqual(await readFile(path), Buffer.from(bootSwitchBlock({ boot: "environment" })));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a block of another size or with other content is refused", () => {
  const block = Buffer.from(bootSwitchBlock({ boot: "environment" }));
  assert.throws(() => readBootSwitch(block.subarray(0, 1023)), { code: "PRESTAGE_DISK_BAD_BOOT_SWITCH" });
  assert.throws(() => readBootSwitch(Buffer.alloc(1024)), { code: "PRESTAGE_DISK_BAD_BOOT_SWITCH" });
  block.write("boot=elsewhere__", 25, "latin1");
  assert.throws(() => readBootSwitch(block), { code: "PRESTAGE_DISK_BAD_BOOT_SWITCH" });
  assert.throws(() => bootSwitchBlock({ boot: "installed", rootUuid: "x\nboot=environment" }), { code: "PRESTAGE_DISK_BAD_BOOT_SWITCH" });
});
