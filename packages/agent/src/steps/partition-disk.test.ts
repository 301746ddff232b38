import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readPartitionTable, runProgram, withNtfs } from "@prestage/disk";
import { withLoopDisk } from "../fixtures/loop-disk.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { isDiskName, numberedDisk, sizesOf } from "./partition-disk.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

/** An empty disk of the kernel's own, which makes nodes of its partitions by itself. */
async function withEmptyDisk(sizeMiB: number, use: (disk: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-empty-disk-"));
  try {
    const image = join(folder, "disk.img");
    await writeFile(image, "");
    await truncate(image, sizeMiB << 20);
    const disk = (await runProgram("losetup", ["--find", "--show", "--partscan", image])).output.trim();
    try {
      await use(disk);
    } finally {
      await runProgram("partx", ["--delete", disk], { accept: [0, 1] });
      await runProgram("losetup", ["--detach", disk]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(steps: Parameters<typeof makeRunFixture>[0], content: Parameters<typeof makeRunFixture>[1] = [], prepare: (folder: string) => Promise<void> = async () => undefined) {
  const fixture = await makeRunFixture([...steps.map((one) => ({ ...one, continueOnError: true })), { type: "run-command-line", with: { command: "exit 1" } }], content);
  await prepare(fixture.folder);
  const context = await fixture.context();
  await runSequence(context, { bootId: "1", machine });
  await context.status.flush();
  return fixture.kept.filter((message) => message.kind === "step-finished").slice(0, steps.length).map((message) => ({ outcome: message.error?.code ?? message.outcome, output: message.outputTail, message: message.error?.message }));
}

test("partitions of Windows and of Linux: types, sizes in MiB and percent of what is left, file systems and labels; done again it is the same; an image goes onto the NTFS", async () => {
  await withEmptyDisk(200, async (disk) => {
    await runProgram("mke2fs", ["-q", "-F", disk]);
    const partitions = [
      { name: "EFI", type: "efi", sizeMiB: 40 }, { name: "MSR", type: "msr", sizeMiB: 16 }, { name: "Windows data", type: "windows", sizePercent: "50", variable: "Data" },
      { name: "linux", sizePercent: 50, quickFormat: false }, { name: "Recovery", type: "recovery" },
    ];
    const content = [contentOf("ABC0000A", { kind: "os-image", platform: "windows", images: [{ index: 1, name: "maps", bytes: 1 }] })];
    const told = await run([
      { type: "partition-disk", with: { disk, partitions } }, { type: "partition-disk", with: { disk, partitions } },
      { type: "run-command-line", with: { command: "echo %Data%" } }, { type: "apply-data-image", with: { osImage: "ABC0000A", disk, partition: 3 } },
    ], content, async (folder) => {
      const source = join(folder, "source/maps");
      await mkdir(source, { recursive: true });
      await writeFile(join(source, "map"), "of the region");
      await mkdir(join(folder, "content/ABC0000A"), { recursive: true });
      await runProgram("wimlib-imagex", ["capture", join(folder, "source"), join(folder, "content/ABC0000A/image.wim")]);
    });
    assert.deepEqual(told.map((one) => one.outcome), ["succeeded", "succeeded", "succeeded", "succeeded"], JSON.stringify(told));
    assert.equal(told[2]?.output, `${disk}p3`);
    const table = (await readPartitionTable(disk)).partitions;
    assert.deepEqual(table.map((one) => [one.name, one.type.slice(0, 8), one.size >> 20]), [["EFI", "c12a7328", 40], ["MSR", "e3c9e316", 16], ["Windows data", "ebd0a0a2", 71], ["linux", "0fc63daf", 35], ["Recovery", "de94bba4", 36]]);
    const { output } = await runProgram("sfdisk", ["--part-attrs", disk, "5"]);
    assert.match(output, /RequiredPartition.*GUID:63/);
    const probed = await Promise.all([1, 2, 3, 4, 5].map(async (number) => (await runProgram("blkid", ["-p", "-o", "export", "-s", "TYPE", "-s", "LABEL", `${disk}p${number}`], { accept: [0, 2] })).output.split("\n").filter((line) => /^(TYPE|LABEL)=/.test(line)).toSorted().map((line) => line.replace(/^\w+=/, "").replaceAll("\\", ""))));
    assert.deepEqual(probed, [["EFI", "vfat"], [], ["Windows data", "ntfs"], ["linux", "ext4"], ["Recovery", "ntfs"]]);
    await withNtfs(`${disk}p3`, async (root) => assert.equal(await readFile(join(root, "maps/map"), "utf8"), "of the region"));
  });
});

test("a partition of a disk, one in use, a number and a device that is not there are refused, and nothing is written", async () => {
  await withLoopDisk(60, [20, 20], async (disk, [first = "", second = ""]) => {
    const before = (await readPartitionTable(disk)).guid;
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", second]);
    const place = await mkdtemp(join(tmpdir(), "prestage-mounted-"));
    assert.deepEqual((await run([first, "7", "/dev/none"].map((one) => ({ type: "partition-disk", with: { disk: one } })))).map((one) => one.outcome), ["PRESTAGE_AGENT_DISK_PROTECTED", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID"]);
    await runProgram("mount", ["-t", "ext4", second, place]);
    try {
      assert.deepEqual((await run([{ type: "partition-disk", with: { disk } }])).map((one) => one.outcome), ["PRESTAGE_AGENT_DISK_PROTECTED"]);
    } finally {
      await runProgram("umount", [place]);
      await rm(place, { recursive: true });
    }
    assert.equal((await readPartitionTable(disk)).guid, before);
    assert.deepEqual(await readdir(tmpdir()).then((names) => names.filter((name) => name === place.split("/").at(-1))), []);
  });
});

test("by the reference's variables, and onto the partition that a variable names", async () => {
  await withEmptyDisk(120, async (disk) => {
    const values = { DISK: disk, OSDPartitions: "2", OSDPartitions0FileSystem: "NTFS", OSDPartitions0Size: "40", OSDPartitions0VolumeName: "Exchange", OSDPartitions1FileSystem: "ext4", OSDPartitions1VolumeLetterVariable: "Data" };
    const content = [contentOf("ABC0000A", { kind: "os-image", platform: "linux", images: [{ index: 1, name: "maps", bytes: 1 }] })];
    const told = await run([
      ...Object.entries(values).map(([name, value]) => ({ type: "set-variable", with: { name, value } })),
      { type: "partition-disk", with: { disk: "%DISK%" } }, { type: "apply-data-image", with: { osImage: "ABC0000A", partition: "%Data%" } }, { type: "apply-data-image", with: { osImage: "ABC0000A", partition: "%DISK%" } }, { type: "apply-data-image", with: { osImage: "ABC0000A", partition: "/dev/none1" } },
      { type: "set-variable", with: { name: "OSDPartitionStyle", value: "MBR" } }, { type: "partition-disk", with: { disk: "%DISK%" } },
    ], content, async (folder) => {
      await mkdir(join(folder, "source"), { recursive: true });
      await writeFile(join(folder, "source/map"), "of the region");
      await mkdir(join(folder, "content/ABC0000A"), { recursive: true });
      await runProgram("wimlib-imagex", ["capture", join(folder, "source"), join(folder, "content/ABC0000A/image.wim")]);
    });
    assert.deepEqual(told.slice(Object.keys(values).length).map((one) => one.outcome), ["succeeded", "succeeded", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "succeeded", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED"], JSON.stringify(told));
    assert.deepEqual((await readPartitionTable(disk)).partitions.map((one) => [one.name, one.size >> 20]), [["Exchange", 40], ["partition 2", 78]]);
    assert.equal((await runProgram("debugfs", ["-R", "cat /map", `${disk}p2`])).output, "of the region");
  });
});

test("a disk's number: the deployment's own is 0, and refused; the others follow by name", () => {
  const fixed = ["/dev/sda", "/dev/sdb", "/dev/nvme0n1", "/dev/sdaa"];
  assert.deepEqual([0, 1, 2, 3].map((number) => numberedDisk("/dev/sdb", fixed, number)), ["/dev/sdb", "/dev/nvme0n1", "/dev/sda", "/dev/sdaa"]);
  assert.throws(() => numberedDisk("/dev/sdb", fixed, 4), { code: "PRESTAGE_AGENT_STEP_INVALID" });
});

test("what is no disk of its own has no number: a path of a multipath NVMe, an eMMC's boot areas, CD drives and loops", () => {
  const names = ["sda", "sdaa", "vdb", "xvdc", "hdd", "nvme0n1", "nvme10n2", "mmcblk0", "nvme0c0n1", "mmcblk0boot0", "mmcblk0rpmb", "sr0", "loop0", "dm-0", "md127", "zram0"];
  assert.deepEqual(names.filter(isDiskName), names.slice(0, 8));
});

test("what a percentage is of: what is left behind the partitions before it", () => {
  assert.deepEqual(sizesOf([{ sizeMiB: 100 }, { sizePercent: 50 }, { sizePercent: 50 }, {}], 1100), [100, 500, 250, undefined]);
  assert.deepEqual(sizesOf([{ sizePercent: 100 }], 1100), [undefined]);
  assert.deepEqual(sizesOf([{ sizeMiB: 5000 }, { sizePercent: 50 }], 1100), [5000, 1], "more than there is: sfdisk says so");
});
