import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readFile, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { describeDisk } from "./describe-disk.ts";
import { makeExt4 } from "./ext4-make.ts";
import { Ext4Reader, type Ext4Node } from "./ext4-reader.ts";
import { copyFatTree, layFatTree, makeFat, readFatFile } from "./fat-volume.ts";
import { planPartitions } from "./partition-plan.ts";
import { readPartitionTable, writePartitionTable } from "./partition-table.ts";
import { runProgram } from "./run-program.ts";

let folder = "";
let disk = "";
const plan = planPartitions(256 << 20, { espMiB: 100 });
const guids = { disk: randomUUID(), esp: randomUUID(), volume: randomUUID() };
const uuid = randomUUID();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-volumes-"));
  disk = join(folder, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, 256 << 20);
});
after(() => rm(folder, { recursive: true }));

test("a blank image file is described as empty", async () => {
  const description = await describeDisk(disk);
  assert.deepEqual([description.kind, description.serial, description.sizeBytes, description.content, description.inUse], ["file", "disk.img", 256 << 20, [], []]);
});

test("a written partition table reads back with its places and GUIDs, and shows a text on a BIOS start", async () => {
  await writePartitionTable(disk, plan, guids);
  const table = await readPartitionTable(disk);
  assert.equal(table.guid, guids.disk);
  assert.deepEqual(table.partitions.map(({ start, size, guid }) => ({ start, size, guid })), [{ ...plan.esp, guid: guids.esp }, { ...plan.volume, guid: guids.volume }]);
  const first = (await readFile(disk)).subarray(0, 512);
  assert.ok(first.includes("Prestage needs UEFI"));
  assert.equal(first.readUInt16LE(510), 0xaa55);
});

test("a FAT tree reads back as it was laid", async () => {
  const tree = join(folder, "esp");
  await mkdir(join(tree, "EFI/BOOT"), { recursive: true });
  const loader = randomBytes(700_001);
  await writeFile(join(tree, "EFI/BOOT/BOOTX64.EFI"), loader);
  await writeFile(join(tree, "EFI/BOOT/grubx64.efi"), "lower case");
  await makeFat(disk, plan.esp, { volumeId: "1234abcd" });
  await layFatTree(disk, plan.esp, tree);
  assert.deepEqual(await readFatFile(disk, plan.esp, "EFI/BOOT/BOOTX64.EFI"), loader);
  await assert.rejects(readFatFile(disk, plan.esp, "EFI/none"), { code: "PRESTAGE_DISK_FILE_MISSING" });
  const back = join(folder, "esp-back");
  await mkdir(back);
  await copyFatTree(disk, plan.esp, back);
  assert.deepEqual((await readdir(back, { recursive: true })).sort(), (await readdir(tree, { recursive: true })).sort());
  await runProgram("fsck.fat", ["-n", await cutOut(plan.esp)]);
});

test("an ext4 tree reads back with names, modes and content, and e2fsck finds nothing", async () => {
  const tree = join(folder, "tree");
  await mkdir(join(tree, "prestage/many"), { recursive: true });
  await chmod(join(tree, "prestage"), 0o700);
  const contents = new Map<string, Buffer>([
    ["prestage/manifest", Buffer.from("signed")],
    ["prestage/empty", Buffer.alloc(0)],
    ["prestage/large", randomBytes(3_500_001)],
    ["prestage/name with spaces \" and ü", randomBytes(4096)],
  ]);
  for (let index = 0; index < 400; index++) contents.set(`prestage/many/a-rather-long-name-so-that-the-folder-needs-several-blocks-${index}`, Buffer.from(String(index)));
  for (const [path, data] of contents) await writeFile(join(tree, path), data);
  const sparse = await open(join(tree, "prestage/sparse"), "w");
  await sparse.write(Buffer.from("end"), 0, 3, 5_000_000);
  await sparse.close();
  contents.set("prestage/sparse", await readFile(join(tree, "prestage/sparse")));
  await symlink("manifest", join(tree, "prestage/link"));
  await makeExt4(disk, plan.volume, { uuid, populate: tree });
  const reader = await Ext4Reader.open(disk, plan.volume);
  try {
    assert.equal(reader.uuid, uuid);
    const nodes = new Map<string, Ext4Node>();
    for await (const node of reader.walk()) nodes.set(node.path, node);
    assert.deepEqual([...nodes.keys()].sort(), ["lost+found", ...(await readdir(tree, { recursive: true }))].sort());
    assert.deepEqual([nodes.get("prestage")?.kind, nodes.get("prestage")?.mode], ["directory", 0o700]);
    assert.equal(nodes.get("prestage/link")?.kind, "symlink");
    for (const [path, data] of contents) {
      const hash = createHash("sha256");
      const node = nodes.get(path);
      assert.equal(node?.size, data.length, path);
      for await (const part of reader.read(node?.inode ?? 0)) hash.update(part);
      assert.equal(hash.digest("hex"), createHash("sha256").update(data).digest("hex"), path);
    }
    assert.equal((await reader.readFile("prestage/manifest")).toString(), "signed");
    await assert.rejects(reader.readFile("prestage/none"), { code: "PRESTAGE_DISK_FILE_MISSING" });
  } finally {
    await reader.close();
  }
  await runProgram("e2fsck", ["-f", "-n", await cutOut(plan.volume)]);
});

test("bytes that are no ext4, or a damaged one, end in a typed error", async () => {
  await assert.rejects(Ext4Reader.open(disk, plan.esp), { code: "PRESTAGE_DISK_BAD_FILE_SYSTEM" });
  const path = await cutOut(plan.volume);
  const image = await readFile(path);
  for (let seed = 1; seed < 60; seed++) {
    const copy = Buffer.from(image.subarray(0, 4 << 20));
    for (let flip = 0; flip < 40; flip++) {
      const at = 1024 + ((seed * 7919 + flip * 104_729) % (copy.length - 1024));
      copy[at] = (copy[at] ?? 0) ^ (1 << (flip % 8));
    }
    await writeFile(path, copy);
    try {
      const reader = await Ext4Reader.open(path, { start: 0, size: copy.length });
      try {
        for await (const node of reader.walk()) if (node.kind === "file" && node.size < 1 << 20) for await (const part of reader.read(node.inode)) assert.ok(part.length > 0);
      } finally {
        await reader.close();
      }
    } catch (error) {
      assert.equal((error as { code?: string }).code, "PRESTAGE_DISK_BAD_FILE_SYSTEM", String(error));
    }
  }
});

test("a disk with content says so, and a partitioned one is not empty", async () => {
  assert.ok((await describeDisk(disk)).content.includes("gpt"));
});

/** Copies a partition into a file of its own, for tools that know no offset. */
async function cutOut(extent: { start: number; size: number }): Promise<string> {
  const path = join(folder, "partition.img");
  await writeFile(path, (await readFile(disk)).subarray(extent.start, extent.start + extent.size));
  return path;
}
