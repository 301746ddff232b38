import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { giveNewExt4Uuid, newGuids, renewTableGuids } from "./disk-identity.ts";
import { addExt4File, removeExt4Files } from "./ext4-edit.ts";
import { ext4FileCapacity, makeExt4, overwriteExt4File } from "./ext4-make.ts";
import { Ext4Reader } from "./ext4-reader.ts";
import { planPartitions } from "./partition-plan.ts";
import { readPartitionTable, writePartitionTable } from "./partition-table.ts";
import { runProgram } from "./run-program.ts";

const mebibyte = 1 << 20;
const plan = planPartitions(192 * mebibyte, { espMiB: 64 });
const guids = { disk: randomUUID(), esp: randomUUID(), volume: randomUUID() };
const first = randomUUID();
let folder = "";
let disk = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-identity-"));
  disk = join(folder, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, 192 * mebibyte);
  const tree = join(folder, "tree/prestage");
  await mkdir(tree, { recursive: true });
  for (let i = 0; i < 50; i++) await writeFile(join(tree, `file${i}`), `content ${i}`.repeat(1000));
  await makeExt4(disk, plan.volume, { uuid: first, populate: join(folder, "tree") });
  await writePartitionTable(disk, plan, guids);
});
after(() => rm(folder, { recursive: true }));

async function opened<T>(work: (reader: Ext4Reader) => Promise<T>): Promise<T> {
  const reader = await Ext4Reader.open(disk, plan.volume);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

test("table, partitions and file system get identities of their own, and everything else stays", async () => {
  const bootCode = (await readFile(disk)).subarray(0, 440);
  const renewed = newGuids(await readPartitionTable(disk));
  const uuid = randomUUID();
  await giveNewExt4Uuid(disk, plan.volume, uuid);
  await renewTableGuids(disk, 192 * mebibyte, renewed);
  const found = await readPartitionTable(disk);
  assert.deepEqual(found, renewed);
  assert.equal(new Set([...Object.values(guids), found.guid, ...found.partitions.map((one) => one.guid)]).size, 6);
  assert.deepEqual((await readFile(disk)).subarray(0, 440), bootCode);
  await opened(async (reader) => {
    assert.equal(reader.uuid, uuid);
    assert.equal((await reader.readFile("prestage/file49")).toString(), "content 49".repeat(1000));
  });
});

test("on a disk larger than the one it was copied from the second table moves to the end", async () => {
  await truncate(disk, 224 * mebibyte);
  await renewTableGuids(disk, 224 * mebibyte, newGuids(await readPartitionTable(disk)));
  assert.equal((await readFile(disk)).subarray(-512, -504).toString(), "EFI PART");
  assert.match((await runProgram("sgdisk", ["--verify", disk])).output, /No problems found/);
});

test("a disk with one of its two tables broken by a cut gets new GUIDs from the other", async () => {
  for (const at of [512, 1024, 224 * mebibyte - 512]) {
    const before = await readPartitionTable(disk);
    const file = await open(disk, "r+");
    await file.write(Buffer.alloc(100, 1), 0, 100, at);
    await file.close();
    const renewed = newGuids(before);
    await renewTableGuids(disk, 224 * mebibyte, renewed);
    assert.match((await runProgram("sgdisk", ["--verify", disk])).output, /No problems found/);
    assert.deepEqual(await readPartitionTable(disk), renewed);
  }
});

test("a table copied from a larger disk is refused", async () => {
  const small = join(folder, "small.img");
  await writeFile(small, (await readFile(disk)).subarray(0, 100 * mebibyte));
  const renewed = newGuids(await readPartitionTable(disk));
  await assert.rejects(renewTableGuids(small, 100 * mebibyte, renewed), { code: "PRESTAGE_DISK_BAD_TABLE", message: /copied from a larger one/ });
});

test("a change of UUID cut short anywhere is finished by running it again, with every file as it was", async () => {
  const volume = () => readFile(disk).then((bytes) => bytes.subarray(plan.volume.start, plan.volume.start + plan.volume.size));
  const before = Buffer.from(await volume());
  await giveNewExt4Uuid(disk, plan.volume, randomUUID());
  const afterwards = Buffer.from(await volume());
  const changed: number[] = [];
  for (let at = 0; at < before.length; at += 4096) if (before.compare(afterwards, at, at + 4096, at, at + 4096) !== 0) changed.push(at);
  assert.ok(changed.length > 3, `${changed.length} blocks`);
  // Any of the blocks written, none in any order: what a cut with a volatile cache can leave.
  for (let seed = 0; seed < 8; seed++) {
    const mixed = Buffer.from(before);
    for (const [i, at] of changed.entries()) if (createHash("sha256").update(`${seed} ${i}`).digest().readUInt8(0) < 32 * seed + 16) afterwards.copy(mixed, at, at, at + 4096);
    const file = await open(disk, "r+");
    await file.write(mixed, 0, mixed.length, plan.volume.start);
    await file.close();
    const uuid = randomUUID();
    await giveNewExt4Uuid(disk, plan.volume, uuid);
    await opened(async (reader) => {
      assert.equal(reader.uuid, uuid);
      for (let i = 0; i < 50; i++) assert.equal((await reader.readFile(`prestage/file${i}`)).toString(), `content ${i}`.repeat(1000), `seed ${seed}`);
    });
  }
});

test("a file is overwritten where it lies, nothing else changes, and more than it holds is refused", async () => {
  await addExt4File(disk, plan.volume, "prestage/place", Buffer.alloc(300_000, "\n"));
  const before = await readFile(disk);
  const secret = Buffer.from(randomUUID().repeat(4000));
  await overwriteExt4File(disk, plan.volume, "prestage/place", secret);
  await opened(async (reader) => {
    assert.deepEqual(await reader.readFile("prestage/place"), Buffer.concat([secret, Buffer.alloc(300_000 - secret.length, "\n")]));
    for await (const node of reader.walk()) if (node.path === "prestage/place") assert.deepEqual([node.mode, node.uid, node.gid], [0o600, 0, 0]);
  });
  const afterwards = await readFile(disk);
  let changed = 0;
  for (let at = 0; at < before.length; at += 4096) if (before.compare(afterwards, at, at + 4096, at, at + 4096) !== 0) changed++;
  assert.equal(changed, Math.ceil(secret.length / 4096));
  assert.equal(await ext4FileCapacity(disk, plan.volume, "prestage/place"), 300_000);
  await assert.rejects(overwriteExt4File(disk, plan.volume, "prestage/place", Buffer.alloc(300_001)), { code: "PRESTAGE_DISK_BAD_FILE_SYSTEM" });
  await removeExt4Files(disk, plan.volume, ["prestage/place"]);
  assert.equal(await ext4FileCapacity(disk, plan.volume, "prestage/place"), undefined);
});
