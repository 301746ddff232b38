import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { captureImage } from "./capture-image.ts";
import { makeWindowsShapedWim, windowsTree } from "./fixtures/windows-shaped.ts";
import { applyWimToNtfs, makeNtfs, withLoopDevice, withNtfs } from "./ntfs-volume.ts";

test("a Windows-shaped volume is captured with everything NTFS keeps, but what is left out; phases are told, and nothing else lies beside it", { skip: existsSync("/dev/fuse") ? false : "this kernel has no FUSE" }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-capture-image-"));
  try {
    const [windows, disk] = [join(folder, "windows.wim"), join(folder, "disk.img")];
    makeWindowsShapedWim(windows);
    await writeFile(disk, "");
    await truncate(disk, 64 << 20);
    const target = join(folder, "images");
    await mkdir(target);
    const phases = new Set<string>();
    await withLoopDevice(disk, { start: 0, size: 64 << 20 }, async (device) => {
      await makeNtfs(device, { label: "Windows", startSector: 2048 });
      await applyWimToNtfs(windows, 1, device);
      await withNtfs(device, async (root) => {
        await mkdir(join(root, "prestage"));
        await writeFile(join(root, "prestage/device.key"), "secret");
      });
      await captureImage({ source: device, kind: "ntfs", wim: join(target, "a.wim"), name: "Windows", compression: "xpress", append: false, exclude: ["/prestage", "/System Volume Information"], onProgress: ({ phase }) => void phases.add(phase) });
    });
    const expected = await windowsTree(windows);
    const root = (line: string) => (JSON.parse(line) as [string])[0] === "";
    assert.deepEqual((await windowsTree(join(target, "a.wim"))).filter((line) => !root(line)), expected.filter((line) => !root(line)));
    assert.deepEqual([...phases], ["capture", "verify"]);
    assert.deepEqual(await readdir(target), ["a.wim"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
