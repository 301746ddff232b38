import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, open, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { addExt4File, Ext4Reader, readPartitionTable, runProgram } from "@prestage/disk";
import { generateSigningKey, importSigningKey, openReceipt, signedBy } from "@prestage/trust";
import { claimKeyPath, readReceiptLeft } from "./disk-receipt.ts";
import { makeKeyring, makeMedia, type MadeMedia } from "./fixtures/make-media.ts";
import { renewDisks } from "./renew-disk.ts";
import { stage } from "./stage.ts";
import { checkReceiptOfDisk, verifyDisk } from "./verify-disk.ts";

const mebibyte = 1 << 20;
const size = 320 * mebibyte;
const depot = { name: "Depot 3", key: generateSigningKey() };
const options = { toolVersion: "0.1.0", depot };
let folder = "";
let media: MadeMedia;
let golden = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-renew-test-"));
  media = await makeMedia(folder);
  golden = join(folder, "golden.img");
  const [result] = await stage(media.path, [golden], { ...options, espMiB: 80, createSizeBytes: size, golden: true });
  assert.equal(result?.outcome, "golden");
});
after(() => rm(folder, { recursive: true }));

async function copyOf(from: string, name: string): Promise<string> {
  await copyFile(from, join(folder, name));
  return join(folder, name);
}
async function made(disk: string, more: object = {}) {
  const [result] = await renewDisks([disk], { ...options, ...more });
  assert.ok(result !== undefined && result.outcome !== "failed", result?.outcome === "failed" ? `${result.error.stack}` : "");
  return result;
}
async function volumeOf(disk: string): Promise<{ start: number; size: number }> {
  const partition = (await readPartitionTable(disk)).partitions[1];
  assert.ok(partition !== undefined);
  return partition;
}

test("copies of a golden disk get identities, claims and receipts of their own, signed by the depot", async () => {
  const disks = [await copyOf(golden, "one.img"), await copyOf(golden, "two.img")];
  await truncate(disks[1] ?? "", size + 64 * mebibyte); // a larger disk than the golden one
  const results = await renewDisks(disks, options);
  const receipts = results.map((result) => {
    assert.ok(result.outcome === "made", JSON.stringify(result));
    return result;
  });
  const identities = receipts.flatMap(({ receipt }) => [receipt.diskGuid, receipt.espPartitionGuid, receipt.volumePartitionGuid, receipt.volumeFileSystemUuid, receipt.claim.keyId]);
  const table = await readPartitionTable(golden);
  assert.equal(new Set([...identities, table.guid, ...table.partitions.map((one) => one.guid)]).size, 13);
  for (const [i, { receiptFile = "", receipt }] of receipts.entries()) {
    const opened = openReceipt(await readFile(receiptFile));
    assert.equal(signedBy(opened, [depot.key.public]), true);
    assert.deepEqual(opened.receipt, receipt);
    await checkReceiptOfDisk(opened, disks[i] ?? "");
    assert.match((await runProgram("sgdisk", ["--verify", disks[i] ?? ""])).output, /No problems found/);
  }
});

test("run again it changes nothing and gives the same receipt", async () => {
  const disk = join(folder, "one.img");
  const before = createHash("sha256").update(await readFile(disk)).digest("hex");
  await rm(`${disk}.receipt.dsse.json`);
  assert.equal((await made(disk)).outcome, "present");
  assert.equal(createHash("sha256").update(await readFile(disk)).digest("hex"), before);
  await checkReceiptOfDisk(openReceipt(await readFile(`${disk}.receipt.dsse.json`)), disk);
});

test("a receipt does not fit a copy of its disk, and a copy gets a claim of its own", async () => {
  const disk = await copyOf(join(folder, "one.img"), "clone.img");
  const opened = openReceipt(await readFile(join(folder, "one.img.receipt.dsse.json")));
  await assert.rejects(checkReceiptOfDisk(opened, disk), { code: "PRESTAGE_STAGING_RECEIPT_MISMATCH", message: /disk serial/ });
  const result = await made(disk);
  assert.equal(result.outcome, "made");
  assert.notEqual(result.receipt.claim.keyId, opened.receipt.claim.keyId);
  const left = await readReceiptLeft(disk, await volumeOf(disk));
  assert.deepEqual([left?.claimFits, left?.receipt.claim.keyId], [true, result.receipt.claim.keyId]);
  await rm(disk);
});

test("the claim's private half lies on its disk in one place and nowhere else", async () => {
  const disk = join(folder, "one.img");
  const reader = await Ext4Reader.open(disk, await volumeOf(disk));
  const pem = await reader.readFile(claimKeyPath);
  await reader.close();
  const secret = importSigningKey(pem.toString()).privateKey.export({ type: "pkcs8", format: "der" }).subarray(-32);
  const bytes = await readFile(disk);
  const middle = pem.subarray(40, 90); // base64 without its borders
  assert.equal(bytes.indexOf(middle), bytes.lastIndexOf(middle));
  for (const name of (await readdir(folder)).filter((one) => one.includes("receipt"))) {
    const file = await readFile(join(folder, name));
    for (const form of [secret, Buffer.from(secret.toString("hex")), Buffer.from(secret.toString("base64")), middle]) assert.equal(file.includes(form), false, name);
  }
});

test("a power cut at any point leaves a disk that is finished by running it again", async () => {
  const disk = await copyOf(golden, "cut.img");
  const before = await readFile(disk);
  let between: Buffer | undefined;
  await made(disk, { onProgress: (event: { phase: string; done: number }) => {
    // The new file system UUID is flushed before claim, receipt and table are written.
    if (event.phase === "verify") between ??= readFileSync(disk);
  } });
  assert.ok(between !== undefined);
  const last = await readFile(disk);
  for (const [from, to] of [[before, between], [between, last]] as const) {
    const changed: number[] = [];
    for (let at = 0; at < from.length; at += 4096) if (from.compare(to, at, at + 4096, at, at + 4096) !== 0) changed.push(at);
    assert.ok(changed.length >= 2, `${changed.length} blocks`);
    for (let seed = 0; seed < 2; seed++) {
      const file = await open(disk, "r+");
      for (const [i, at] of changed.entries()) {
        // The table's flush before its other half is the table's own promise, with its own test.
        const written = at < mebibyte ? false : createHash("sha256").update(`${seed} ${i}`).digest().readUInt8(0) < 80 * (seed + 1);
        await file.write(written ? to : from, at, 4096, at);
      }
      await file.close();
      const { receipt } = await made(disk);
      await verifyDisk(disk);
      const left = await readReceiptLeft(disk, await volumeOf(disk));
      assert.deepEqual([left?.claimFits, left?.receipt.diskGuid, receipt.diskGuid], [true, receipt.diskGuid, (await readPartitionTable(disk)).guid]);
    }
  }
  await rm(disk);
});

test("damage by the duplicator is found and named, and the disk gets no receipt", async () => {
  const disk = await copyOf(golden, "damaged.img");
  const bytes = await readFile(disk);
  const at = bytes.indexOf(Buffer.from("dddddddddddddddddddd"));
  const file = await open(disk, "r+");
  await file.write(Buffer.from("X"), 0, 1, at);
  await file.close();
  const [result] = await renewDisks([disk], options);
  assert.ok(result?.outcome === "failed");
  assert.match(result.error.message, /file with space\.bin/);
  assert.equal((result.error as { code?: string }).code, "PRESTAGE_STAGING_READ_BACK_FAILED");
  assert.equal(await readReceiptLeft(disk, await volumeOf(disk)), undefined);
  await rm(disk);
});

test("a disk that has met its site, a blank one and one of another site are refused", async () => {
  const started = await copyOf(golden, "started.img");
  const volume = await volumeOf(started);
  await runProgram("debugfs", ["-w", "-R", "mkdir prestage/state", `${started}?offset=${volume.start}`]);
  await addExt4File(started, volume, "prestage/state/device-key.pem", Buffer.from("key"));
  const blank = join(folder, "blank.img");
  await writeFile(blank, "");
  await truncate(blank, size);
  const results = await renewDisks([started, blank], options);
  assert.deepEqual(results.map((one) => (one.outcome === "failed" ? (one.error as { code?: string }).code : one.outcome)), ["PRESTAGE_STAGING_NOT_STAGED", "PRESTAGE_DISK_BAD_TABLE"]);
  const [foreign] = await renewDisks([join(folder, "two.img")], { ...options, trustedKeyring: makeKeyring().bytes });
  assert.ok(foreign?.outcome === "failed");
  assert.equal((foreign.error as { code?: string }).code, "PRESTAGE_TRUST_SIGNATURE_INVALID");
});
