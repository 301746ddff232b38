import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { addExt4File, copyFatTree, editExt4, espType, Ext4Reader, readPartitionTable, refreshingType, removeExt4Files, writePartitionType } from "@prestage/disk";
import { readDiskFiles } from "../disk-files.ts";
import { readReceiptLeft } from "../disk-receipt.ts";
import { makeKeyring, makeMedia, type MadeMedia } from "../fixtures/make-media.ts";
import { stage } from "../stage.ts";
import { checkReceiptOfDisk, verifyDisk } from "../verify-disk.ts";
import { openReceipt } from "@prestage/trust";
import { refreshDisks, type RefreshDiskOptions, type RefreshResult } from "./refresh-disk.ts";

const noise = (bytes: number, seed: string) => {
  let text = "";
  for (let i = 0; text.length < bytes; i++) text += createHash("sha512").update(`${seed} ${i}`).digest("base64");
  return text.slice(0, bytes);
};
const big = noise(6_000_000, "os");
const keys = makeKeyring();
let folder = "";
let older: MadeMedia;
let newer: MadeMedia;
let disk = "";
let staged: Buffer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-refresh-test-"));
  for (const name of ["older", "newer", "other"]) await mkdir(join(folder, name));
  const data = noise(900_000, "data");
  older = await makeMedia(join(folder, "older"), { keyring: keys, osTree: { "etc/hostname": "image", "usr/big": big }, packageTree: { "setup.sh": "#!/bin/sh\n", "old/gone.txt": "gone", "same.bin": noise(500_000, "same"), "data.bin": data } });
  newer = await makeMedia(join(folder, "newer"), { keyring: keys, initrd: "j".repeat(310_000), agent: "newer agent", osTree: { "etc/hostname": "renewed", "usr/big": `${big.slice(0, 3_000_000)}changed${big.slice(3_000_007)}` }, packageTree: { "setup.sh": "#!/bin/sh\n# renewed\n", "new folder/größer (1).txt": "new", "same.bin": noise(500_000, "same"), "data.bin": `${data.slice(0, 450_000)}!${data.slice(450_000)}` } });
  disk = join(folder, "disk.img");
  await fresh(disk, older);
  staged = await readFile(disk);
});
after(() => rm(folder, { recursive: true }));

async function fresh(path: string, media: MadeMedia, options: { golden?: boolean; machineSerial?: string } = { machineSerial: "SN-1" }): Promise<void> {
  await writeFile(path, "");
  await truncate(path, 300 << 20);
  const [result] = await stage(media.path, [path], { espMiB: 80, toolVersion: "0.1.0", ...options });
  assert.ok(result?.outcome === "staged" || result?.outcome === "golden", result?.outcome === "failed" ? result.error.message : "");
}

async function restore(): Promise<void> {
  await writeFile(disk, staged);
}

async function refresh(location: string, options: Partial<RefreshDiskOptions> = {}): Promise<RefreshResult> {
  const [result] = await refreshDisks([disk], location, { toolVersion: "0.1.0", ...options });
  return result ?? assert.fail();
}

function ended(result: RefreshResult): Exclude<RefreshResult, { outcome: "failed" }> {
  if (result.outcome === "failed") throw result.error;
  return result;
}

/** Everything on both volumes that staging laid: names, modes, owners, times and content. */
async function everything(path: string): Promise<Map<string, string>> {
  const { volumePartition, espPartition } = await readDiskFiles(path);
  const found = new Map<string, string>();
  const reader = await Ext4Reader.open(path, volumePartition);
  for await (const { path: name, kind, mode, uid, gid, size, mtime, inode } of reader.walk()) {
    if (/^lost\+found$|receipt|claim-key/.test(name)) continue;
    const hash = createHash("sha256");
    if (kind === "file") for await (const part of reader.read(inode)) hash.update(part);
    found.set(name, `${kind} ${mode.toString(8)} ${uid} ${gid} ${kind === "file" ? `${size} ${mtime}` : ""} ${hash.digest("hex")}`);
  }
  await reader.close();
  const esp = await mkdtemp(join(folder, "esp-"));
  await copyFatTree(path, espPartition, esp);
  for (const name of await readdir(esp, { recursive: true })) found.set(`ESP:${name}`, createHash("sha256").update(await readFile(join(esp, name)).catch(() => "folder")).digest("hex"));
  return found;
}

/** A web server with ranges, as any is. */
async function serve(path: string): Promise<{ url: string; sent: () => number; server: Server }> {
  const bytes = await readFile(path);
  let sent = 0;
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const part = from === undefined ? bytes : bytes.subarray(Number(from), to === "" ? undefined : Number(to) + 1);
    sent += part.length;
    response.writeHead(from === undefined ? 200 : 206, { "content-length": part.length, etag: '"1"', ...(from !== undefined && { "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}` }) });
    response.end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/media.wim`, sent: () => sent, server };
}

test("a disk on the shelf becomes, file by file, what staging the newer media makes; receipt and claim are new and fit", async () => {
  await restore();
  const before = await readReceiptLeft(disk, (await readDiskFiles(disk)).volumePartition);
  const result = ended(await refresh(newer.path));
  assert.deepEqual([result.outcome, result.from, result.mediaId, result.fetched], ["refreshed", older.mediaId, newer.mediaId, 0]);
  const other = join(folder, "staged.img");
  await fresh(other, newer);
  assert.deepEqual(await everything(disk), await everything(other));
  await verifyDisk(disk, { trustedKeyring: newer.keyring });
  const opened = openReceipt(await readFile(result.receiptFile ?? assert.fail()));
  await checkReceiptOfDisk(opened, disk);
  assert.deepEqual([opened.receipt.mediaId, opened.receipt.machineSerial, opened.receipt.diskGuid], [newer.mediaId, "SN-1", before?.receipt.diskGuid]);
  assert.notEqual(opened.receipt.claim.keyId, before?.receipt.claim.keyId);
  assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith(".prestage-refresh")), []);
});

test("from a web server only what changed is fetched", async () => {
  await restore();
  const { url, sent, server } = await serve(newer.path);
  try {
    const plan = ended(await refresh(url, { dryRun: true }));
    assert.equal(plan.outcome, "planned");
    assert.deepEqual(await readFile(disk), staged, "a dry run changes nothing");
    const already = sent();
    const result = ended(await refresh(url));
    assert.equal(result.fetched, sent() - already);
    assert.ok(result.fetched < newer.size * 0.25, `${result.fetched} of ${newer.size} fetched`);
    assert.ok(result.reused > 4_500_000, `${result.reused} reused`);
    await verifyDisk(disk);
  } finally {
    server.close();
  }
});

test("refreshed again, nothing is written; back to the older media, the disk is as it was staged", async () => {
  await restore();
  const laid = await everything(disk);
  ended(await refresh(newer.path));
  const bytes = await readFile(disk);
  const again = ended(await refresh(newer.path));
  assert.deepEqual([again.outcome, again.changed, again.removed], ["current", 0, 0]);
  assert.deepEqual(await readFile(disk), bytes);
  assert.equal(ended(await refresh(older.path)).outcome, "refreshed");
  assert.deepEqual(await everything(disk), laid);
});

test("damaged on the shelf: what is wrong is made anew with the rest", async () => {
  await restore();
  const { volumePartition, data } = await readDiskFiles(disk);
  const path = [...data.keys()].find((name) => name.endsWith("files/same.bin")) ?? assert.fail();
  const reader = await Ext4Reader.open(disk, volumePartition);
  const [place] = await reader.locate(path);
  await reader.close();
  const file = await open(disk, "r+");
  await file.write(Buffer.from("DAMAGE"), 0, 6, (place?.start ?? 0) + 100_000);
  await file.close();
  ended(await refresh(newer.path));
  await verifyDisk(disk);
});

test("cut short after the disk was marked: nothing starts from it, and the same command finishes it, whatever is left of its files", async () => {
  await restore();
  const { volumePartition, espPartition, data } = await readDiskFiles(disk);
  await writePartitionType(disk, staged.length, 512, 1, refreshingType);
  const gone = [...data.keys()].filter((name) => /manifest|keyring|index\.json|data\.bin/.test(name));
  await removeExt4Files(disk, volumePartition, gone);
  const file = await open(disk, "r+");
  await file.write(randomBytes(1 << 20), 0, 1 << 20, espPartition.start); // its FAT is garbage
  await file.close();
  await assert.rejects(verifyDisk(disk), { code: "PRESTAGE_STAGING_NOT_STAGED" });
  const result = ended(await refresh(newer.path));
  assert.deepEqual([result.outcome, result.from], ["refreshed", undefined]);
  await verifyDisk(disk);
  assert.equal((await readPartitionTable(disk)).partitions[0]?.type, espType);
});

test("cut between the two sectors of the superblock: it is mended from its copy, and the same command finishes", async () => {
  await restore();
  const { volumePartition } = await readDiskFiles(disk);
  await writePartitionType(disk, staged.length, 512, 1, refreshingType);
  const file = await open(disk, "r+");
  const checksum = { at: volumePartition.start + 1024 + 1020, bytes: Buffer.alloc(4) };
  await file.read(checksum.bytes, 0, 4, checksum.at);
  await file.write(Buffer.from(checksum.bytes.map((byte) => byte ^ 0xff)), 0, 4, checksum.at);
  await file.close();
  assert.equal(ended(await refresh(newer.path)).outcome, "refreshed");
  await verifyDisk(disk);
});

test("a dry run leaves what an attempt that was cut short put together; a folder others may write to is refused", async () => {
  await restore();
  const work = join(folder, `.prestage-refresh-${newer.mediaId.slice(0, 16)}`);
  await mkdir(work, { mode: 0o700 });
  await writeFile(join(work, "begun"), "x");
  assert.equal(ended(await refresh(newer.path, { dryRun: true })).outcome, "planned");
  assert.deepEqual(await readdir(work), ["begun"]);
  await chmod(work, 0o777);
  const result = await refresh(newer.path);
  assert.ok(result.outcome === "failed" && "code" in result.error && result.error.code === "PRESTAGE_STAGING_WORK_FOLDER");
  assert.ok((await readFile(disk)).equals(staged));
  await rm(work, { recursive: true });
});

test("a golden disk stays one", async () => {
  const golden = join(folder, "golden.img");
  await fresh(golden, older, { golden: true });
  const [result] = await refreshDisks([golden], newer.path, { toolVersion: "0.1.0" });
  assert.ok(result?.outcome === "refreshed" && result.receipt === undefined);
  assert.equal(await readReceiptLeft(golden, (await verifyDisk(golden)).found.volumePartition), undefined);
});

test("refused with the disk as it was: another site's media, too little room, a disk that was started, none that is staged", async () => {
  const other = await makeMedia(join(folder, "other"));
  const refused = async (location: string, code: string) => {
    const before = await readFile(disk);
    const result = await refresh(location);
    assert.equal(result.outcome === "failed" && "code" in result.error ? result.error.code : result.outcome, code);
    assert.ok(before.equals(await readFile(disk)));
  };
  await restore();
  await refused(other.path, "PRESTAGE_STAGING_OTHER_MEDIA");
  const { volumePartition } = await readDiskFiles(disk);
  const reader = await Ext4Reader.open(disk, volumePartition);
  const filler = Buffer.alloc(reader.freeBytes - (8 << 20), "x");
  await reader.close();
  const folderOf = (path: string) => editExt4(disk, volumePartition, [{ kind: "folder", path, mode: 0o700, uid: 0, gid: 0 }]);
  await folderOf("prestage/log");
  await addExt4File(disk, volumePartition, "prestage/log/long", filler);
  await refused(newer.path, "PRESTAGE_STAGING_NOT_REFRESHABLE");
  await restore();
  await folderOf("prestage/state");
  await addExt4File(disk, volumePartition, "prestage/state/device.json", Buffer.from("{}"));
  await refused(newer.path, "PRESTAGE_STAGING_NOT_STAGED");
  await writeFile(disk, Buffer.alloc(50 << 20));
  await refused(newer.path, "PRESTAGE_DISK_BAD_TABLE");
});
