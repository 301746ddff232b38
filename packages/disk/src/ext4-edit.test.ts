import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { editExt4 } from "./ext4-edit.ts";
import { makeExt4 } from "./ext4-make.ts";
import { Ext4Reader, type Ext4Node } from "./ext4-reader.ts";
import { writePartitionType } from "./gpt.ts";
import { planPartitions } from "./partition-plan.ts";
import { espType, readPartitionTable, refreshingType, writePartitionTable } from "./partition-table.ts";
import { runProgram } from "./run-program.ts";

const size = 192 << 20;
const plan = planPartitions(size, { espMiB: 64 });
let folder = "";
let disk = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-edit-"));
  disk = join(folder, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, size);
  await mkdir(join(folder, "tree/old/deep"), { recursive: true });
  await writeFile(join(folder, "tree/old/deep/file"), "old");
  await makeExt4(disk, plan.volume, { uuid: randomUUID(), populate: join(folder, "tree") });
  await writePartitionTable(disk, plan, { disk: randomUUID(), esp: randomUUID(), volume: randomUUID() });
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

const read = () => opened(async (reader) => {
  const nodes = new Map<string, Ext4Node>();
  for await (const node of reader.walk()) nodes.set(node.path, node);
  return { nodes, free: reader.freeBytes };
});

test("folders and files come with names, owners, modes and times as given; others go; the file system stays sound", async () => {
  const before = await read();
  const bytes = randomBytes(3_000_000);
  await writeFile(join(folder, "content"), bytes);
  const name = 'new folder/a "quoted" file, größer (1).bin';
  await editExt4(disk, plan.volume, [
    { kind: "remove", path: "old/deep/file" },
    { kind: "remove-folder", path: "old/deep" },
    { kind: "remove-folder", path: "old" },
    { kind: "folder", path: "new folder", mode: 0o750, uid: 7, gid: 8, mtime: 1_700_000_000 },
    { kind: "file", path: name, from: join(folder, "content"), mode: 0o4755, uid: 9, gid: 70_000, mtime: 1_600_000_001 },
  ]);
  const found = await read();
  assert.deepEqual([...found.nodes.keys()].filter((path) => path !== "lost+found").sort(), ["new folder", name]);
  const { inode: _inode, path: _path, ...file } = found.nodes.get(name) ?? assert.fail();
  assert.deepEqual(file, { kind: "file", mode: 0o4755, uid: 9, gid: 70_000, size: bytes.length, mtime: 1_600_000_001 });
  const { mode, uid, gid } = found.nodes.get("new folder") ?? assert.fail();
  assert.deepEqual([mode, uid, gid], [0o750, 7, 8]);
  assert.deepEqual(await opened((reader) => reader.readFile(name)), bytes);
  assert.ok(before.free - found.free > 2_900_000 && before.free - found.free < 3_100_000, `${before.free} -> ${found.free}`);
  await runProgram("e2fsck", ["-fn", `${disk}?offset=${plan.volume.start}`]);
});

test("what cannot be done is told: no such folder, a name with a line end, one that leaves its folder", async () => {
  const file = (path: string) => editExt4(disk, plan.volume, [{ kind: "file", path, from: join(folder, "content"), mode: 0o600, uid: 0, gid: 0 }]);
  await assert.rejects(file("nowhere/file"), { code: "PRESTAGE_DISK_BAD_FILE_SYSTEM" });
  await assert.rejects(editExt4(disk, plan.volume, [{ kind: "remove", path: "nowhere" }]), { code: "PRESTAGE_DISK_BAD_FILE_SYSTEM" });
  for (const path of ["a\nrm b", "a/../b", "/a", ""]) await assert.rejects(file(path), TypeError);
});

test("a partition gets another type and back; a table torn in between is the old one or the new one", async () => {
  const table = await readPartitionTable(disk);
  const file = await open(disk, "r");
  const tables = async () => [await part(0, 34 * 512), await part(size - 33 * 512, 33 * 512)] as const;
  const part = async (at: number, length: number) => (await file.read(Buffer.alloc(length), 0, length, at)).buffer;
  const old = await tables();
  await writePartitionType(disk, size, 512, 1, refreshingType);
  const marked = await readPartitionTable(disk);
  assert.deepEqual(marked, { ...table, partitions: table.partitions.map((one, i) => (i === 0 ? { ...one, type: refreshingType } : one)) });
  const renewed = await tables();
  await file.close();
  const write = async (first: Buffer, second: Buffer) => {
    const handle = await open(disk, "r+");
    await handle.write(first, 0, first.length, 0);
    await handle.write(second, 0, second.length, size - 33 * 512);
    await handle.close();
  };
  // The second is whole before the first is touched; of the first any sector may be old or new.
  for (let mask = 1; mask < 8; mask++) {
    const torn = Buffer.from(old[0]);
    for (const [bit, sector] of [1, 2, 3].entries()) if (((mask >> bit) & 1) === 1) renewed[0].copy(torn, sector * 512, sector * 512, sector * 512 + 512);
    await write(torn, renewed[1]);
    const { type } = (await readPartitionTable(disk)).partitions[0] ?? assert.fail();
    assert.ok(type === espType || type === refreshingType, `mask ${mask}: ${type}`);
    await writePartitionType(disk, size, 512, 1, espType);
    assert.deepEqual(await readPartitionTable(disk), table, `mask ${mask}`);
  }
});

test("a temporary folder with a space in its name does no harm", async () => {
  const before = process.env["TMPDIR"];
  const spaced = join(folder, "a temporary folder");
  await mkdir(spaced);
  process.env["TMPDIR"] = spaced;
  try {
    await editExt4(disk, plan.volume, [{ kind: "file", path: "spaced", from: join(folder, "tree/old/deep/file"), mode: 0o600, uid: 0, gid: 0 }]);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  assert.equal(await opened(async (reader) => (await reader.readFile("spaced")).toString()), "old");
});
