import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bootDisk } from "@prestage/lab";

test("a machine starts its firmware, gives a screenshot and ends when it is told to", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-machine-"));
  try {
    const disk = join(folder, "disk.img");
    await writeFile(disk, "");
    await truncate(disk, 1 << 20);
    const machine = await bootDisk({ disk, workDir: folder, memoryMiB: 256, volatile: { seed: 1 } });
    await machine.serial.waitFor(/BdsDxe|UEFI Interactive Shell|Shell>/, { timeoutMs: 300_000 });
    await machine.screenshot(join(folder, "screen.png"));
    assert.equal((await readFile(join(folder, "screen.png"))).subarray(1, 4).toString(), "PNG");
    await machine.setLink(false);
    assert.deepEqual(await machine.cut(), { unflushed: 0, kept: 0, writes: 0 });
    assert.deepEqual(await machine.waitForExit(), { reason: "killed" });
    await assert.rejects(machine.serial.waitFor("never"), { code: "PRESTAGE_LAB_MACHINE_ENDED" });
    assert.ok((await readFile(join(folder, "serial.log"))).length > 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
