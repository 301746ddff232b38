import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ContentSource } from "@prestage/content";
import { Ext4Reader, layFatTree, removeExt4Files } from "@prestage/disk";
import { describeDiskDamage, findDiskDamage } from "./disk-damage.ts";
import { readDiskFiles } from "./disk-files.ts";
import type { DiskFiles } from "./disk-files.ts";
import { makeMedia, type MadeMedia } from "./fixtures/make-media.ts";
import { repairDisk } from "./repair-disk.ts";
import { stage } from "./stage.ts";

let folder = "";
let media: MadeMedia;
let disk = "";
let found: DiskFiles;
const fetched: { file: string; bytes: number }[] = [];

/** A distribution point without HTTP: the site's library, by range. */
const library: ContentSource = {
  name: "library",
  open: async (contentId, file, { start, end }) => {
    const bytes = (await readFile(join(folder, "library/content", contentId, file))).subarray(start, end);
    fetched.push({ file, bytes: bytes.length });
    return (async function* () {
      yield bytes;
    })();
  },
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-repair-test-"));
  media = await makeMedia(folder);
  disk = join(folder, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, 700 << 20);
  const [result] = await stage(media.path, [disk], { espMiB: 80, toolVersion: "0.1.0" });
  assert.equal(result?.outcome, "staged");
  found = await readDiskFiles(disk);
});
after(() => rm(folder, { recursive: true }));

const imagePath = () => `prestage/content/${media.manifest.osImage?.contentId ?? ""}/files/image.wim`;

async function damage(path: string, offset: number): Promise<void> {
  const reader = await Ext4Reader.open(disk, found.volumePartition);
  const places = await reader.locate(path);
  await reader.close();
  let at = offset;
  for (const place of places) {
    if (at < place.size) {
      const handle = await open(disk, "r+");
      await handle.write(Buffer.from("DAMAGE"), 0, 6, place.start + at);
      await handle.close();
      return;
    }
    at -= place.size;
  }
  assert.fail(`no byte ${offset} in ${path}`);
}

const damaged = async () => (await findDiskDamage(await readDiskFiles(disk))).map((one) => `${one.volume}:${one.path}`);

test("a good disk has no damage, and repairing it changes no byte", async () => {
  const before = await readFile(disk);
  assert.deepEqual(await damaged(), []);
  assert.deepEqual(await repairDisk(disk, { kind: "media", path: media.path }), []);
  assert.ok((await readFile(disk)).equals(before));
});

test("every damaged file is named with its place, and mended from the media: in place, in blocks of 4 KiB", async () => {
  const whole = await readFile(disk);
  await damage(imagePath(), 3000);
  await damage("prestage/agent/node", 400_000);
  const list = await findDiskDamage(await readDiskFiles(disk));
  assert.deepEqual(list.map((one) => one.path).sort(), [imagePath(), "prestage/agent/node"].sort());
  assert.match(describeDiskDamage(list.find((one) => one.path === imagePath()) ?? assert.fail()), /expected SHA-256 [0-9a-f]{16}, found [0-9a-f]{16}/);
  const repaired = await repairDisk(disk, { kind: "media", path: media.path });
  assert.deepEqual(repaired.map((one) => one.path).sort(), [imagePath(), "prestage/agent/node"].sort());
  assert.ok(repaired.every((one) => one.written > 0 && one.written <= 4096 && one.fetched === 0), JSON.stringify(repaired));
  assert.ok((await readFile(disk)).equals(whole), "nothing else on the disk has changed");
});

test("from a distribution point only the bad chunk is fetched; what it does not have is said", async () => {
  const content = [...found.data.keys()].find((path) => path.endsWith("file with space.bin")) ?? assert.fail();
  await damage(content, 390_000);
  fetched.length = 0;
  const [repaired, none] = await repairDisk(disk, { kind: "distribution-points", sources: [library] });
  assert.deepEqual([repaired?.path, repaired?.written, none], [content, 4096, undefined]);
  const wim = fetched.filter((one) => one.file === "content.wim");
  assert.equal(wim.length, 1);
  assert.equal(wim[0]?.bytes, repaired?.fetched);
  assert.ok(fetched.every((one) => one.file === "content.wim" || one.file === "storage.json"));
  await damage("prestage/agent/node", 5);
  await assert.rejects(repairDisk(disk, { kind: "distribution-points", sources: [library] }), { code: "PRESTAGE_STAGING_NOT_REPAIRABLE", message: /--from the media file/ });
  await repairDisk(disk, { kind: "media", path: media.path });
  assert.deepEqual(await damaged(), []);
});

test("a missing file and a damaged file of the EFI system partition come back from the media", async () => {
  await removeExt4Files(disk, found.volumePartition, ["prestage/agent/agent.mjs"]);
  const tree = join(folder, "tree");
  await mkdir(join(tree, "prestage"), { recursive: true });
  await writeFile(join(tree, "prestage/vmlinuz"), "KERNEL");
  await layFatTree(disk, found.espPartition, tree, { overwrite: true });
  assert.deepEqual(await damaged(), ["esp:prestage/vmlinuz", "data:prestage/agent/agent.mjs"]);
  await repairDisk(disk, { kind: "media", path: media.path });
  assert.deepEqual(await damaged(), []);
});

test("another media, or one that is damaged itself, mends nothing", async () => {
  const elsewhere = join(folder, "elsewhere");
  await mkdir(elsewhere);
  const other = await makeMedia(elsewhere);
  await damage(imagePath(), 100);
  await assert.rejects(repairDisk(disk, { kind: "media", path: other.path }), { code: "PRESTAGE_STAGING_OTHER_MEDIA" });
  const bad = join(folder, "bad.wim");
  await copyFile(media.path, bad);
  const bytes = await readFile(bad);
  const image = await readFile(join(folder, "os.wim"));
  const at = bytes.indexOf(image.subarray(0, 4096));
  assert.ok(at > 0);
  bytes[at + 2000] = (bytes[at + 2000] ?? 0) ^ 1;
  await writeFile(bad, bytes);
  await assert.rejects(repairDisk(disk, { kind: "media", path: bad }));
  assert.deepEqual(await damaged(), [`data:${imagePath()}`]);
  await repairDisk(disk, { kind: "media", path: media.path });
  assert.deepEqual(await damaged(), []);
});
