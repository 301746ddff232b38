import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { copyFile, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Ext4Reader, makeExt4, makeFat, planPartitions, readFatFile, readPartitionTable, runProgram, writePartitionTable } from "@prestage/disk";
import { makeKeyring, makeMedia, type MadeMedia } from "./fixtures/make-media.ts";
import { planStage } from "./plan-stage.ts";
import { stagePartitions } from "./stage-partitions.ts";
import { stage } from "./stage.ts";

const mebibyte = 1 << 20;
const size = 700 * mebibyte;
const small = { espMiB: 80, toolVersion: "0.1.0" };
let folder = "";
let media: MadeMedia;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-stage-test-"));
  media = await makeMedia(folder);
});
after(() => rm(folder, { recursive: true }));

async function blankImage(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, "");
  await truncate(path, size);
  return path;
}

test("a bare image file becomes a staged disk whose receipt lies on it and beside it", async () => {
  const disk = await blankImage("one.img");
  const plan = await planStage(media.path, disk, small);
  assert.equal(plan.mediaId, media.mediaId);
  const phases = new Set<string>();
  const [result] = await stage(media.path, [disk], { ...small, trustedKeyring: media.keyring, onProgress: (event) => phases.add(event.phase) });
  assert.equal(result?.outcome, "staged", result?.outcome === "failed" ? result.error.message : "");
  assert.ok(result.outcome === "staged");
  assert.deepEqual([...phases], ["lay-out", "write", "verify", "receipt"]);
  const { receipt } = result;
  assert.equal(receipt.files.verified, plan.files);
  assert.equal(receipt.diskSerial, "one.img");
  const table = await readPartitionTable(disk);
  assert.deepEqual([table.guid, ...table.partitions.map((partition) => partition.guid)], [receipt.diskGuid, receipt.espPartitionGuid, receipt.volumePartitionGuid]);
  assert.equal((await readFatFile(disk, plan.partitions.esp, "prestage/boot.env")).length, 1024);
  const reader = await Ext4Reader.open(disk, plan.partitions.volume);
  try {
    const written = await reader.readFile("prestage/receipt.json");
    assert.equal(written.toString().trimEnd(), (await readFile(`${disk}.receipt.json`, "utf8")).trimEnd());
    const nodes = [];
    for await (const node of reader.walk()) nodes.push(node);
    const onDisk = nodes.find((node) => node.path === "prestage/receipt.json");
    assert.deepEqual([onDisk?.mode, onDisk?.uid, onDisk?.gid], [0o600, 0, 0]);
    assert.ok(nodes.some((node) => node.path.endsWith("/files/data/file with space.bin")));
  } finally {
    await reader.close();
  }
  assert.equal((await readdir(folder)).some((name) => name.startsWith(".prestage-stage-")), false);
  const image = join(folder, "volume.img");
  await runProgram("dd", [`if=${disk}`, `of=${image}`, "bs=1M", `skip=${plan.partitions.volume.start / mebibyte}`, `count=${plan.partitions.volume.size / mebibyte}`, "conv=sparse", "status=none"]);
  await runProgram("e2fsck", ["-f", "-n", image]);
  await rm(image);
});

test("a disk with content is refused unless its name is given, and stays as it was", async () => {
  const disk = join(folder, "one.img");
  const before = await readFile(disk, { flag: "r" }).then((bytes) => bytes.subarray(0, 4 * mebibyte));
  await assert.rejects(planStage(media.path, disk, small), { code: "PRESTAGE_STAGING_NOT_EMPTY", message: /--wipe one.img/ });
  await assert.rejects(planStage(media.path, disk, { ...small, wipe: ["two.img"] }), { code: "PRESTAGE_STAGING_NOT_EMPTY" });
  assert.deepEqual((await planStage(media.path, disk, { ...small, wipe: ["one.img"] })).wipes.includes("gpt"), true);
  assert.deepEqual((await readFile(disk)).subarray(0, 4 * mebibyte), before);
});

test("several disks at once get their own GUIDs, and one that fails does not stop the other", async () => {
  const good = await blankImage("good.img");
  const tiny = join(folder, "tiny.img");
  await writeFile(tiny, "");
  await truncate(tiny, 50 * mebibyte);
  const created = join(folder, "created.img");
  const results = await stage(media.path, [tiny, good, created, join(folder, "none", "x.img")], { ...small, createSizeBytes: size });
  const outcomes = new Map(results.map((result) => [result.disk, result]));
  const failed = outcomes.get(tiny);
  assert.ok(failed?.outcome === "failed");
  assert.equal((failed.error as { code?: string }).code, "PRESTAGE_DISK_TOO_SMALL");
  const receipts = [good, created].map((disk) => {
    const result = outcomes.get(disk);
    assert.ok(result?.outcome === "staged", disk);
    return result.receipt;
  });
  assert.notEqual(receipts[0]?.diskGuid, receipts[1]?.diskGuid);
  assert.equal((await stat(created)).size, size);
  for (const path of [good, created]) await rm(path);
});

test("media whose bytes are not those its manifest names is found by reading back, and leaves no disk that starts", async () => {
  const damaged = join(folder, "damaged.wim");
  const bytes = await readFile(media.path);
  const at = bytes.indexOf(Buffer.from("MSWIM\0\0\0", "latin1"), 208); // the nested OS image, stored as it is
  assert.ok(at > 208);
  bytes[at + 240] = (bytes[at + 240] ?? 0) ^ 1;
  await writeFile(damaged, bytes);
  const disk = await blankImage("bad.img");
  const [result] = await stage(damaged, [disk], small).catch((error: unknown) => [{ disk, outcome: "failed" as const, error: error as Error }]);
  assert.ok(result?.outcome === "failed");
  assert.match(result.error.message, /SHA-1|hash|SHA-256|integrity|corrupt/i);
  await assert.rejects(readPartitionTable(disk), { code: "PRESTAGE_DISK_BAD_TABLE" });
  await rm(disk);
});

test("a file that neither manifest nor index names is found by reading back", async () => {
  const added = join(folder, "added.wim");
  await writeFile(added, await readFile(media.path));
  await writeFile(join(folder, "extra"), "autorun");
  await runProgram("wimlib-imagex", ["update", added, "2", "--command", `add ${join(folder, "extra")} /prestage/agent/autorun.inf`]);
  const disk = await blankImage("added.img");
  const [result] = await stage(added, [disk], small);
  assert.ok(result?.outcome === "failed");
  assert.equal((result.error as { code?: string }).code, "PRESTAGE_STAGING_READ_BACK_FAILED");
  assert.match(result.error.message, /autorun\.inf/);
  await assert.rejects(readPartitionTable(disk), { code: "PRESTAGE_DISK_BAD_TABLE" });
  await rm(disk);
});

test("media signed under another keyring is refused before a disk is touched", async () => {
  const disk = await blankImage("other.img");
  await assert.rejects(stage(media.path, [disk], { ...small, trustedKeyring: makeKeyring().bytes }), /PRESTAGE|key/i);
  assert.equal((await readFile(disk)).subarray(0, mebibyte).every((byte) => byte === 0), true);
  await rm(disk);
});

test("a cancelled staging leaves no image file and no folder", async () => {
  const disk = join(folder, "cancelled.img");
  const controller = new AbortController();
  await assert.rejects(stage(media.path, [disk], { ...small, createSizeBytes: size, signal: controller.signal, onProgress: (event) => event.phase === "verify" && controller.abort() }));
  await assert.rejects(stat(disk), { code: "ENOENT" });
  assert.equal((await readdir(folder)).some((name) => name.startsWith(".prestage-stage-")), false);
});

async function attachLoop(path: string): Promise<string | undefined> {
  return runProgram("losetup", ["--find", "--show", "--partscan", path]).then((result) => result.output.trim(), () => undefined);
}

test("a block device is staged, and refused while it is mounted", async (context) => {
  const file = await blankImage("loop.img");
  const loop = await attachLoop(file);
  if (loop === undefined) return context.skip("this machine gives no loop devices");
  try {
    const [result] = await stage(media.path, [loop], small);
    assert.equal(result?.outcome, "staged", result?.outcome === "failed" ? result.error.message : "");
    assert.ok(result.outcome === "staged");
    assert.equal(result.receipt.diskSerial, "loop.img");
    assert.equal((await readPartitionTable(file)).guid, result.receipt.diskGuid);
    await runProgram("partx", ["--update", loop], { accept: [0, 1] });
    const place = await mkdtemp(join(tmpdir(), "prestage-mounted-"));
    await runProgram("mount", ["-o", "ro", `${loop}p2`, place]);
    try {
      assert.equal((await stat(join(place, "prestage"))).mode & 0o777, 0o700);
      await assert.rejects(planStage(media.path, loop, { ...small, wipe: ["loop.img"] }), { code: "PRESTAGE_STAGING_DISK_IN_USE" });
    } finally {
      await runProgram("umount", [place]);
      await rm(place, { recursive: true });
    }
  } finally {
    await runProgram("losetup", ["--detach", loop]);
    await rm(file);
  }
});

test("partitions that are already formatted are used as they are", async (context) => {
  const file = await blankImage("formatted.img");
  const plan = planPartitions(size, { espMiB: 80 });
  await makeFat(file, plan.esp, { volumeId: "00c0ffee" });
  await makeExt4(file, plan.volume, { uuid: randomUUID() });
  const guids = { disk: randomUUID(), esp: randomUUID(), volume: randomUUID() };
  await writePartitionTable(file, plan, guids);
  const loop = await attachLoop(file);
  if (loop === undefined) return context.skip("this machine gives no loop devices");
  try {
    await runProgram("partx", ["--update", loop], { accept: [0, 1] });
    if (!(await stat(`${loop}p2`).then(() => true, () => false))) return context.skip("this machine makes no partitions of loop devices");
    const { receipt } = await stagePartitions(media.path, `${loop}p1`, `${loop}p2`, small);
    assert.deepEqual([receipt.diskGuid, receipt.espPartitionGuid, receipt.volumePartitionGuid], [guids.disk, guids.esp, guids.volume]);
    await assert.rejects(stagePartitions(media.path, `${loop}p1`, `${loop}p2`, small), { code: "PRESTAGE_STAGING_WRONG_PARTITIONS", message: /to be empty/ });
    await assert.rejects(stagePartitions(media.path, `${loop}p2`, `${loop}p1`, small), { code: "PRESTAGE_STAGING_WRONG_PARTITIONS", message: /formatted as vfat/ });
    const reader = await Ext4Reader.open(file, plan.volume);
    assert.deepEqual(JSON.parse((await reader.readFile("prestage/receipt.json")).toString()), receipt);
    await reader.close();
  } finally {
    await runProgram("losetup", ["--detach", loop]);
    await rm(file);
  }
});

test("a golden disk has neither claim nor receipt, and is told as golden", async () => {
  const disk = await blankImage("golden.img");
  const [result] = await stage(media.path, [disk], { ...small, golden: true });
  assert.deepEqual([result?.outcome, result?.outcome === "golden" && result.verified], ["golden", 17]);
  const reader = await Ext4Reader.open(disk, (await readPartitionTable(disk)).partitions[1] ?? { start: 0, size: 0 });
  for (const path of ["prestage/claim-key.pem", "prestage/receipt.json", "prestage/receipt.dsse.json"]) assert.match((await reader.readFile(path)).toString(), /^\n+$/, "room and nothing else");
  await reader.close();
  assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("golden.img.")), []);
  await rm(disk);
});

test("a path that is no disk is refused", async () => {
  await assert.rejects(planStage(media.path, folder, small), { code: "PRESTAGE_DISK_NOT_A_DISK" });
  await assert.rejects(planStage(media.path, "/dev/null", small), { code: "PRESTAGE_DISK_NOT_A_DISK" });
});

test("a media with names a disk could not hold is refused before the disk is touched", async () => {
  const extra = join(folder, "extra");
  await writeFile(extra, "x");
  for (const [image, name] of [["1", "aux.txt"], ["2", "PRESTAGE"], ["2", "prestage/con"]] as const) {
    const path = join(folder, "unsafe.wim");
    await copyFile(media.path, path);
    await runProgram("wimlib-imagex", ["update", path, image, "--command", `add '${extra}' '/${name}'`, "--check"]);
    const disk = await blankImage("unsafe.img");
    await assert.rejects(planStage(path, disk, small), { code: "PRESTAGE_MEDIA_NOT_MEDIA" }, name);
    await assert.rejects(stage(path, [disk], { ...small, trustedKeyring: media.keyring }), { code: "PRESTAGE_MEDIA_NOT_MEDIA" });
    assert.equal((await stat(disk)).blocks, 0);
  }
});
