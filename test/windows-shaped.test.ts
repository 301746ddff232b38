import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { applyWimToNtfs, basicDataType, copyFatTree, layFatTree, makeNtfs, microsoftReservedType, readFatFile, readPartitionTable, withLoopDevice, withNtfs } from "@prestage/disk";
import { stage } from "@prestage/staging";
import { openWimFile, walkEntries } from "@prestage/wim";
import { hivexsh } from "../packages/disk/src/fixtures/hivex.ts";
import { bootFiles, captureNtfs, makeWindowsShapedWim, windowsTree } from "../packages/disk/src/fixtures/windows-shaped.ts";
import { runOrKill, spread } from "../packages/agent/src/fixtures/killed-run.ts";
import type { CutInput, Hold } from "../packages/agent/src/fixtures/killed-run.ts";
import { contentOf, makeRunFixture } from "../packages/agent/src/fixtures/run-fixture.ts";
import { runSequence } from "../packages/agent/src/run/run-sequence.ts";
import type { TerminalScreen } from "../packages/agent/src/screens/terminals.ts";
import { windowsRuntimeFiles, windowsServiceName } from "../packages/agent/src/windows/windows-service.ts";
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

test("set-up-operating-system makes of it a Windows that starts by itself and goes on: boot files, a store for this very disk, a name, a service; again it changes nothing", { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-windows-set-up-"));
  await chmod(folder, 0o755);
  try {
    const windows = join(folder, "windows.wim");
    makeWindowsShapedWim(windows);
    const media = await makeMedia(folder, { osImage: windows });
    const disk = join(folder, "disk.img");
    const [staged] = await stage(media.path, [disk], { toolVersion: "0.1.0", espMiB: 80, createSizeBytes: 700 << 20 });
    assert.equal(staged?.outcome, "staged");
    const table = await readPartitionTable(disk);
    const [esp, , volume] = table.partitions;
    assert.ok(esp && volume);
    const espRoot = join(folder, "esp");
    await mkdir(espRoot);
    await copyFatTree(disk, esp, espRoot);
    const fixture = await makeRunFixture([
      { type: "apply-windows-settings", with: { computerName: "BRANCH-07", timeZone: "UTC" } },
      { type: "set-up-operating-system" },
    ]);
    let descriptorBefore = "";
    const run = async (device: string, media: boolean) => withNtfs(device, async (dataRoot) => {
      const hive = join(dataRoot, "Windows/System32/config/SYSTEM");
      descriptorBefore ||= attributes(hive);
      if (media) for (const name of windowsRuntimeFiles) {
        await mkdir(dirname(join(dataRoot, name)), { recursive: true });
        await writeFile(join(dataRoot, name), "program");
      }
      await rm(join(fixture.folder, "prestage"), { recursive: true, force: true });
      const context = await fixture.context({ variables: [{ name: "_SMSTSMachineName", value: "FROM-SITE", source: "media" }], unattended: true });
      const result = await runSequence({ ...context, dataRoot, espRoot, disk: { ...context.disk, device: disk, espPartition: "none", espGuid: esp.guid, dataGuid: volume.guid, dataFileSystem: "ntfs" } }, { bootId: "1", machine: { restart: async () => undefined, cleanUp: async () => undefined } });
      assert.equal(attributes(hive), descriptorBefore, "the hive keeps its descriptor and attributes");
      assert.ok(!existsSync(`${hive}.prestage`));
      return { result: result.result, hive: await readFile(hive), answers: await readFile(join(dataRoot, "Windows/Panther/unattend.xml"), "utf8") };
    });
    await withLoopDevice(disk, volume, async (device) => {
      await applyWimToNtfs(windows, 1, device);
      const refused = await run(device, false);
      assert.equal(refused.result, "failed");
      assert.match(fixture.logged.join("\n"), /PRESTAGE_AGENT_NO_WINDOWS_RUNTIME/);
      assert.ok(!existsSync(join(espRoot, "EFI/Microsoft")), "nothing is written before that is known");
      const first = await run(device, true);
      assert.equal(first.result, "restart", fixture.logged.join("\n")); // the sequence ended, and a system was laid down that starts
      assert.match(first.answers, /<ComputerName>BRANCH-07<\/ComputerName>/);
      const said = hivexsh(first.hive, `cd ControlSet002\\Services\\${windowsServiceName}\nlsval\ncd \\ControlSet001\\Services\nls\n`).said;
      assert.match(said, /"Start"=dword:00000002/);
      assert.match(said, /"ImagePath"=str\(2\):"%SystemDrive%\\\\prestage\\\\agent\\\\windows\\\\prestage-service\.exe"/);
      assert.match(said, /"ObjectName"="LocalSystem"/);
      assert.match(said, /ACPI\nDhcp\nW32Time\n$/, "the other control set is as it was");
      const second = await run(device, true);
      assert.ok(second.result === "restart" && second.hive.equals(first.hive), "the registry is as it was");
      assert.match(fixture.logged.join("\n"), /; 0 had to be written/);
      // As the volume was: of what the image brought only what the step is about differs.
      const changed = join(folder, "changed.wim");
      captureNtfs(device, changed);
      const [expected, found] = [await windowsTree(windows), await windowsTree(changed, 1, { without: ["prestage", "Windows/Panther"] })];
      const pathOf = (line: string) => String((JSON.parse(line) as string[])[0]);
      const touched = new Set(["Windows", "Windows/System32/config", "Windows/System32/config/SYSTEM"]);
      assert.deepEqual(found.filter((line) => !expected.includes(line)).map(pathOf).filter((path) => !touched.has(path)), []);
      assert.deepEqual(found.map(pathOf), expected.map(pathOf));
      await withNtfs(device, async (dataRoot) => {
        for (const name of bootFiles) {
          const on = join(espRoot, "EFI/Microsoft/Boot", name.replace(/^EFI\//, ""));
          assert.ok((await readFile(on)).equals(await readFile(join(dataRoot, "Windows/Boot", name))), name);
        }
      }, { readOnly: true });
    });
    // It fits a real FAT, and is read from there.
    await layFatTree(disk, esp, espRoot, { overwrite: true });
    const store = await readFatFile(disk, esp, "EFI/Microsoft/Boot/BCD");
    const element = (id: string, type: string) => hivexsh(store, `cd Objects\\${id}\\Elements\\${type}\nlsval\n`).said;
    const manager = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
    const [, loader = ""] = /"(\{.*\})"/.exec(element(manager, "23000003")) ?? [];
    const [head = "", ...rest] = volume.guid.split("-");
    const mixed = [head, ...rest.slice(0, 2)].map((part) => part.match(/../g)?.toReversed().join(",") ?? "");
    assert.ok(element(loader, "21000001").includes([...mixed, ...rest.slice(2).map((part) => part.match(/../g)?.join(",") ?? "")].join(",")), "the loader names this disk's volume");
    assert.match(element(loader, "12000002"), /winload\.efi/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("set-up-operating-system of a Windows, killed wherever it flushes what it has written, and begun again: volume and boot files are as after one run that was not", { skip, timeout: 400_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-windows-cut-"));
  await chmod(folder, 0o755);
  try {
    const windows = join(folder, "windows.wim");
    makeWindowsShapedWim(windows);
    const disk = join(folder, "disk.img");
    await writeFile(disk, "");
    await truncate(disk, 300 << 20);
    execFileSync("sfdisk", ["-q", disk], { input: `label: gpt\nsize=40MiB, type=uefi\nsize=240MiB, type=${basicDataType}\n` });
    const [esp, volume] = (await readPartitionTable(disk)).partitions;
    assert.ok(esp && volume);
    const place = (name: string) => join(folder, name);
    const input = (name: string, dataRoot: string, hold?: Hold): CutInput => ({
      steps: [{ type: "set-up-operating-system", with: { computerName: "BRANCH-07" } }], stepId: "s1", content: [], folders: {}, secrets: {}, journal: place(`${name}-journal`), ...(hold && { hold }),
      change: { environment: "boot", dataRoot, espRoot: place(`${name}-esp`), unattended: true, disk: { device: disk, espPartition: "none", espGuid: esp.guid, dataPartition: "none", dataGuid: volume.guid, dataFileSystemUuid: "", dataFileSystem: "ntfs" } },
    });
    const start = (device: string, name: string, hold?: Hold) => withNtfs(device, (dataRoot) => runOrKill(folder, input(name, dataRoot, hold)));
    /** The applied image with what the media brings for it, and an empty EFI system partition. */
    const begin = async (device: string, name: string) => {
      await mkdir(place(`${name}-esp`));
      await makeNtfs(device, { label: "Windows", startSector: volume.start / 512 });
      await applyWimToNtfs(windows, 1, device);
      await withNtfs(device, async (dataRoot) => {
        for (const file of windowsRuntimeFiles) {
          await mkdir(dirname(join(dataRoot, file)), { recursive: true });
          await writeFile(join(dataRoot, file), "program");
        }
      });
    };
    /** The registry says when it was changed: what it says of the service is compared, and that libhivex reads it. */
    const state = (device: string, name: string) => withNtfs(device, async (dataRoot) => {
      const config = join(dataRoot, "Windows/System32/config");
      const service = hivexsh(await readFile(join(config, "SYSTEM")), `cd ControlSet002\\Services\nls\ncd ${windowsServiceName}\nlsval\n`).said;
      const boot: [string, string][] = [];
      for (const path of (await readdir(place(`${name}-esp`), { recursive: true })).toSorted()) {
        const whole = join(place(`${name}-esp`), path);
        if ((await stat(whole)).isFile()) boot.push([path, createHash("sha256").update(await readFile(whole)).digest("hex")]);
      }
      return { service, boot, config: (await readdir(config)).toSorted(), answers: await readFile(join(dataRoot, "Windows/Panther/unattend.xml"), "utf8"), panther: (await readdir(join(dataRoot, "Windows/Panther"))).toSorted(), hive: attributes(join(config, "SYSTEM")) };
    }, { readOnly: true });
    await withLoopDevice(disk, volume, async (device) => {
      await begin(device, "whole");
      const whole = await start(device, "whole");
      assert.deepEqual([whole?.result, whole?.begun], ["restart", 1], whole?.log.join("\n"));
      const expected = await state(device, "whole");
      assert.ok(expected.boot.length > 4 && expected.service.includes("prestage-service.exe"), JSON.stringify(expected));
      const places = spread(whole?.flushes ?? 0, 7);
      assert.ok(places.length === 7, `${whole?.flushes ?? 0} flushes`);
      for (const flush of places) {
        const name = `cut-${flush}`;
        await begin(device, name);
        assert.equal(await start(device, name, { flush }), undefined, `killed at ${flush}`);
        const again = await start(device, name);
        assert.deepEqual([again?.result, again?.begun], ["restart", 2], again?.log.join("\n"));
        assert.deepEqual(await state(device, name), expected, `killed at ${flush} of ${whole?.flushes ?? 0}`);
      }
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** A file's security descriptor and attributes on a mounted NTFS, but for the one that says it was written to. */
function attributes(path: string): string {
  const [descriptor, flags] = ["ntfs_acl", "ntfs_attrib_be"].map((name) => execFileSync("getfattr", ["--absolute-names", "--only-values", "-n", `system.${name}`, path]));
  return `${descriptor?.toString("hex") ?? ""} ${((flags?.readUInt32BE() ?? 0) & ~0x20).toString(16)}`;
}

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
