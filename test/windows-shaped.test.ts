import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { basicDataType, microsoftReservedType, readPartitionTable, withLoopDevice } from "@prestage/disk";
import { stage } from "@prestage/staging";
import { openWimFile, walkEntries } from "@prestage/wim";
import { captureNtfs, makeWindowsShapedWim, windowsTree } from "../packages/disk/src/fixtures/windows-shaped.ts";
import { contentOf, makeRunFixture } from "../packages/agent/src/fixtures/run-fixture.ts";
import { runSequence } from "../packages/agent/src/run/run-sequence.ts";
import type { TerminalScreen } from "../packages/agent/src/screens/terminals.ts";
import { makeMedia } from "../packages/staging/src/fixtures/make-media.ts";

/** ntfs-3g is a FUSE file system. */
const skip = existsSync("/dev/fuse") ? false : "this kernel has no FUSE";

/**
 * No system starts here: it shows that the formats carry what Windows needs. A volume's security descriptors, streams, reparse
 * points, hard links, short names and attributes go through import, media, staging and the agent's executor.
 */
test("a Windows-shaped image goes through import, media and staging onto an NTFS volume, is applied beside /prestage by the agent's executor, and everything compares equal", { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-windows-chain-"));
  await chmod(folder, 0o755);
  try {
    const windows = join(folder, "windows.wim");
    makeWindowsShapedWim(windows);
    const expected = await windowsTree(windows);
    const media = await makeMedia(folder, { osImage: windows });
    const disk = join(folder, "disk.img");
    const [staged] = await stage(media.path, [disk], { toolVersion: "0.1.0", espMiB: 80, createSizeBytes: 700 << 20 });
    assert.equal(staged?.outcome, "staged", staged?.outcome === "failed" ? staged.error.message : "");

    const table = await readPartitionTable(disk);
    assert.deepEqual(table.partitions.map(({ type }) => type).slice(1), [microsoftReservedType, basicDataType], "the media's Windows image asks for NTFS by itself");
    const [, , volume] = table.partitions;
    assert.ok(volume);
    const capture = join(folder, "capture.wim");
    await withLoopDevice(disk, volume, async (device) => captureNtfs(device, capture));
    assert.deepEqual(await unprotected(capture), [], "everything under /prestage belongs to SYSTEM and Administrators alone");

    const content = [contentOf("ABC00011", { kind: "os-image", platform: "windows", images: [{ index: 1, name: "Windows", bytes: 1_000_000 }] })];
    const fixture = await makeRunFixture([{ type: "apply-os-image", with: { osImage: "ABC00011", index: 1 } }], content);
    await withLoopDevice(disk, volume, async (device) => {
      const place = `prestage/content/${media.manifest.osImage?.contentId ?? ""}/files`;
      const context = await fixture.context();
      const access = { ...context.content, ensureImage: async (_id: string, image: number) => ({ content: content[0]!, wim: join(context.dataRoot, place, "image.wim"), image, references: [] }) };
      // It installs no system that starts, so at the end the agent waits for a key.
      const key = setInterval(() => (context.screen as TerminalScreen).typed(" "), 100);
      const result = await runSequence({ ...context, content: access, disk: { ...context.disk, dataPartition: device, dataFileSystem: "ntfs" } }, { bootId: "1", machine: { restart: async () => undefined, cleanUp: async () => undefined } }).finally(() => clearInterval(key));
      assert.deepEqual(result, { result: "succeeded" }, fixture.events.join("\n"));
    });
    await rm(capture);
    await withLoopDevice(disk, volume, async (device) => captureNtfs(device, capture));
    assert.deepEqual(await windowsTree(capture, 1, { without: ["prestage"] }), expected);
    assert.deepEqual(await unprotected(capture), []);
    assert.equal(sha256Within(capture, media.manifest.osImage?.contentId ?? "", folder), execFileSync("sha256sum", [join(folder, "library/content", media.manifest.osImage?.contentId ?? "", "content.wim")], { encoding: "utf8" }).split(" ")[0], "the image itself is as it was");
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** Entries under /prestage that anybody but SYSTEM (S-1-5-18) and Administrators (S-1-5-32-544) may do anything with. */
async function unprotected(capture: string): Promise<string[]> {
  const wim = await openWimFile(capture);
  try {
    const image = await wim.readImage(1);
    const found: string[] = [];
    for (const { path, entry } of walkEntries(image)) {
      if (path !== "prestage" && !path.startsWith("prestage/")) continue;
      const trustees = trusteesOf(Buffer.from(image.securityDescriptors[entry.securityIndex] ?? Buffer.alloc(0)));
      if (trustees.length === 0 || trustees.some((sid) => sid !== "5-18" && sid !== "5-32-544")) found.push(`${path}: ${trustees.join(", ") || "no list"}`);
    }
    return found;
  } finally {
    await wim.close();
  }
}

/** The trustees of a self-relative security descriptor's list ([MS-DTYP] 2.4.6, 2.4.5, 2.4.4.2). */
function trusteesOf(descriptor: Buffer): string[] {
  if (descriptor.length < 20) return [];
  const list = descriptor.subarray(descriptor.readUInt32LE(16));
  const sids: string[] = [];
  for (let at = 8, left = list.readUInt16LE(4); left > 0; left--) {
    const sid = list.subarray(at + 8);
    sids.push([sid.readUInt8(7), ...Array.from({ length: sid.readUInt8(1) }, (_, i) => sid.readUInt32LE(8 + i * 4))].join("-"));
    at += list.readUInt16LE(at + 2);
  }
  return sids;
}

function sha256Within(capture: string, contentId: string, folder: string): string {
  execFileSync("wimlib-imagex", ["extract", capture, "1", `/prestage/content/${contentId}/files/image.wim`, `--dest-dir=${join(folder, "out")}`, "--no-acls"], { stdio: "ignore" });
  return execFileSync("sha256sum", [join(folder, "out/image.wim")], { encoding: "utf8" }).split(" ")[0] ?? "";
}
