import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { applyDataImage, makeNtfs, mountExt4, mountUnit, runProgram, unmount, withNtfs } from "@prestage/disk";
import { withLoopDisk } from "../fixtures/loop-disk.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
let folder = "";
let wim = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-data-image-"));
  wim = join(folder, "image.wim");
  const source = join(folder, "source");
  await mkdir(join(source, "maps"), { recursive: true });
  for (let i = 0; i < 20; i++) await writeFile(join(source, "maps", `map ${i}`), randomBytes(100_000));
  await chmod(join(source, "maps/map 3"), 0o640);
  await symlink("maps/map 1", join(source, "latest"));
  await runProgram("wimlib-imagex", ["capture", source, wim, "--unix-data", "--norpfix", "--compress=none"]);
});
after(() => rm(folder, { recursive: true }));

async function digest(root: string): Promise<string[]> {
  const files = (await readdir(join(root, "maps"))).toSorted();
  return Promise.all(files.map(async (name) => `${name} ${createHash("sha256").update(await readFile(join(root, "maps", name))).digest("hex")}`));
}

async function onExt4<T>(device: string, look: (root: string) => Promise<T>): Promise<T> {
  const root = join(folder, "mount");
  await mountExt4(device, root);
  try {
    return await look(root);
  } finally {
    await unmount(root);
  }
}

test("an image goes onto an ext4 and an NTFS, what was there is gone, and one that was cut short begins anew", async () => {
  await withLoopDisk(120, [40, 60], async (_disk, [first = "", second = ""]) => {
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", first]);
    await makeNtfs(second, { label: "data", startSector: 84_000 });
    await onExt4(first, (root) => writeFile(join(root, "old"), "old"));
    await withNtfs(second, (root) => writeFile(join(root, "old"), "old"));
    for (const device of [first, second]) {
      const cut = new AbortController();
      await assert.rejects(applyDataImage({ device, wim, index: 1, wipe: true, signal: cut.signal, onPercent: () => cut.abort() }));
      await applyDataImage({ device, wim, index: 1, wipe: true });
    }
    const expected = await digest(join(folder, "source"));
    await onExt4(first, async (root) => {
      assert.deepEqual(await digest(root), expected);
      assert.deepEqual((await readdir(root)).toSorted(), ["latest", "lost+found", "maps"]);
      assert.deepEqual([(await stat(join(root, "maps/map 3"))).mode & 0o777, await readlink(join(root, "latest"))], [0o640, "maps/map 1"]);
    });
    await withNtfs(second, async (root) => {
      assert.deepEqual(await digest(root), expected);
      assert.ok(!(await readdir(root)).includes("old"));
    }, { readOnly: true });
    await onExt4(first, (root) => writeFile(join(root, "kept"), "kept"));
    await applyDataImage({ device: first, wim, index: 1, wipe: false });
    await applyDataImage({ device: first, wim, index: 1, wipe: false });
    assert.deepEqual(await onExt4(first, async (root) => [await readFile(join(root, "kept"), "utf8"), await digest(root)]), ["kept", expected]);
    await assert.rejects(applyDataImage({ device: second, wim, index: 1, wipe: false }), { code: "PRESTAGE_DISK_BAD_SETTING" });
    await runProgram("wipefs", ["-q", "--all", first]);
    await assert.rejects(applyDataImage({ device: first, wim, index: 1, wipe: true }), { code: "PRESTAGE_DISK_BAD_FILE_SYSTEM" });
  });
});

test("the step: never the deployment's own partitions nor one in use; a place in the installed system", async () => {
  await withLoopDisk(100, [20, 20, 40], async (disk, [esp = "", data = "", free = ""]) => {
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", free]);
    const run = async (settings: Record<string, unknown>) => {
      const fixture = await makeRunFixture([{ type: "apply-data-image", with: { osImage: "ABC0000A", ...settings } }, { type: "run-command-line", with: { command: "exit 1" } }], [contentOf("ABC0000A", { kind: "os-image", platform: "linux", images: [{ index: 1, name: "maps", bytes: 1 }] })]);
      await mkdir(join(fixture.folder, "content/ABC0000A"), { recursive: true });
      await writeFile(join(fixture.folder, "content/ABC0000A/image.wim"), await readFile(wim));
      await mkdir(join(fixture.folder, "etc"));
      await writeFile(join(fixture.folder, "etc/os-release"), "");
      const context = await fixture.context({ disk: { device: disk, espPartition: esp, espGuid: "", dataPartition: data, dataGuid: "", dataFileSystemUuid: "" } });
      await runSequence(context, { bootId: "1", machine });
      await context.status.flush();
      const finished = fixture.kept.find((message) => message.kind === "step-finished");
      return { fixture, outcome: finished?.error?.code ?? finished?.outcome, message: finished?.error?.message };
    };
    for (const partition of [1, "2"]) assert.equal((await run({ partition })).outcome, "PRESTAGE_AGENT_DISK_PROTECTED");
    for (const wrong of [{ partition: 7 }, { disk: "/dev/none", partition: 1 }]) assert.equal((await run(wrong)).outcome, "PRESTAGE_AGENT_STEP_INVALID");
    assert.equal((await run({ partition: 3, mountPoint: "/etc/maps" })).outcome, "PRESTAGE_DISK_BAD_SETTING");
    assert.equal(await onExt4(free, async () => (await run({ partition: 3 })).outcome), "PRESTAGE_AGENT_DISK_PROTECTED");
    const { fixture, outcome, message } = await run({ disk, partition: 3, wipe: "true", mountPoint: "/srv/my-maps" });
    assert.equal(outcome, "succeeded", message);
    const name = (await runProgram("systemd-escape", ["--path", "--suffix=mount", "/srv/my-maps"])).output.trim();
    const units = join(fixture.folder, "etc/systemd/system");
    assert.match(await readFile(join(units, name), "utf8"), /What=\/dev\/disk\/by-uuid\/[0-9a-f-]{36}\nWhere=\/srv\/my-maps\nType=ext4\n/);
    assert.equal(await readlink(join(units, "local-fs.target.wants", name)), `/etc/systemd/system/${name}`);
    await runProgram("systemd-analyze", ["verify", "--man=no", join(units, name)]);
    assert.equal((await onExt4(free, digest)).length, 20);
  });
});

test("places in the installed system are for data", () => {
  for (const place of ["srv/data", "/", "/srv/../etc", "/srv/.", "/usr", "/etc/x", "/srv/a b", "/srv/a\nWhat=/dev/sda", "/prestage", "/root", "/tmp", "/var", "/var/lib", "/lib64/x", "/home"]) assert.throws(() => mountUnit("UUID=1", place, "ext4"), { code: "PRESTAGE_DISK_BAD_SETTING" }, place);
});
