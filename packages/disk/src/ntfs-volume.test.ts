import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildWim, openWimFile } from "@prestage/wim";
import { captureNtfs, makeWindowsShapedWim, windowsTree } from "./fixtures/windows-shaped.ts";
import { applyOsImageToNtfs, applyWimToNtfs, makeNtfs, withLoopDevice, withNtfs } from "./ntfs-volume.ts";

const extent = { start: 3 << 20, size: 96 << 20 };
const imagePath = "prestage/content/files/image.wim";
/** ntfs-3g is a FUSE file system. */
const skip = existsSync("/dev/fuse") ? false : "this kernel has no FUSE";
let folder: string;
let windows: string;
let disk: string;

before(async () => {
  if (skip !== false) return;
  folder = await mkdtemp(join(tmpdir(), "prestage-ntfs-test-"));
  [windows, disk] = [join(folder, "windows.wim"), join(folder, "disk.img")];
  makeWindowsShapedWim(windows);
  await writeFile(disk, "");
  await truncate(disk, 100 << 20);
  const media = join(folder, "media.wim");
  const size = (await readFile(windows)).length;
  await buildWim({ guid: Buffer.alloc(16, 1), time: 0n, images: [{ name: "data", sources: [{ kind: "file", destination: imagePath, from: { path: windows }, size }] }] }, media);
  await onVolume(async (device) => {
    await makeNtfs(device, { label: "Prestage", startSector: extent.start / 512 });
    await applyWimToNtfs(media, 1, device);
  });
});
after(() => skip === false && rm(folder, { recursive: true }));

const onVolume = <T>(use: (device: string) => Promise<T>): Promise<T> => withLoopDevice(disk, extent, use);

async function treeOfVolume(): Promise<string[]> {
  const capture = join(folder, "capture.wim");
  await rm(capture, { force: true });
  await onVolume(async (device) => captureNtfs(device, capture));
  return windowsTree(capture, 1, { without: ["prestage"] });
}

test("a Windows-shaped image is applied beside /prestage from the volume itself, and everything NTFS keeps is equal; a second attempt begins anew", { skip }, async () => {
  const expected = await windowsTree(windows);
  assert.ok(expected.some((line) => line.includes("Zone.Identifier")) && expected.some((line) => line.includes("a0000003")) && expected.some((line) => line.includes("PROGRA~1")) && expected.some((line) => line.includes("kernel-by-another-name")));
  for (const attempt of [1, 2]) {
    await onVolume(async (device) => {
      if (attempt === 2) await withNtfs(device, (root) => writeFile(join(root, "left by an attempt"), "x"));
      await applyOsImageToNtfs({ device, wim: imagePath, index: 1 });
      await withNtfs(device, async (root) => assert.ok((await readFile(join(root, imagePath))).equals(await readFile(windows))), { readOnly: true });
    });
    assert.deepEqual(await treeOfVolume(), expected, `attempt ${attempt}`);
  }
  // The volume starts where Windows would look for it.
  const sector = (await readFile(disk)).subarray(extent.start, extent.start + 512);
  assert.equal(sector.toString("latin1", 3, 7), "NTFS");
  assert.equal(sector.readUInt32LE(0x1c), extent.start / 512);
});

test("an image that brings /prestage is refused before anything is deleted", { skip }, async () => {
  const bad = join(folder, "bad.wim");
  const wim = await openWimFile(windows);
  await buildWim({ guid: Buffer.alloc(16, 2), time: 0n, images: [{ name: "bad", caseInsensitive: true, sources: [{ kind: "tree", wim, image: 1, destination: "" }, { kind: "directory", destination: "PreStage" }] }] }, bad);
  await wim.close();
  await onVolume(async (device) => {
    await withNtfs(device, async (root) => {
      await writeFile(join(root, "prestage/bad.wim"), await readFile(bad));
      await writeFile(join(root, "stays"), "x");
    });
    await assert.rejects(applyOsImageToNtfs({ device, wim: "prestage/bad.wim", index: 1 }), { code: "PRESTAGE_DISK_IMAGE_REFUSED" });
    await withNtfs(device, async (root) => assert.equal(await readFile(join(root, "stays"), "utf8"), "x"), { readOnly: true });
  });
  assert.doesNotMatch(execFileSync("losetup", ["--list"], { encoding: "utf8" }), new RegExp(folder));
});
