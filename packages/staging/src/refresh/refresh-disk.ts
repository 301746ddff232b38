import { createHash, randomBytes } from "node:crypto";
import { copyFile, lstat, mkdir, readFile, rm, rmdir, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { copyFatTree, editExt4, espType, Ext4Reader, layFatTree, makeFat, readPartitionTable, refreshingType, runProgram, settleDisk, writePartitionType } from "@prestage/disk";
import { dataPaths, openMedia, type OpenMedia } from "@prestage/media";
import { openSuccessorKeyring, openTrustedKeyring, type Receipt } from "@prestage/trust";
import { checkReceiptLeft, claimKeyPath, leaveReceipt, readReceiptLeft } from "../disk-receipt.ts";
import { StagingError } from "../error.ts";
import { readBack } from "../read-back.ts";
import { writeReceiptFiles, type ReceiptPlace } from "../receipt-files.ts";
import { makeReceipt, type ReceiptOptions } from "../receipt.ts";
import { isOwn } from "../verify-disk.ts";
import { DiskPieces } from "./disk-pieces.ts";
import { bytesToMake, makeFiles } from "./make-files.ts";
import { planRefresh, type RefreshPlan } from "./plan-refresh.ts";
import { openShelfDisk, type ShelfDisk } from "./shelf-disk.ts";
import { expectedOf, wantedFiles, type WantedFile } from "./wanted-files.ts";

export type RefreshPhase = "compare" | "fetch" | "write" | "verify" | "receipt";

export interface RefreshDiskOptions extends ReceiptOptions, ReceiptPlace {
  /** The site's keyring, where it is known; else the media must be signed under the disk's own or its successor. */
  trustedKeyring?: Uint8Array | undefined;
  /** Folder for what is put together; beside an image file, otherwise the system's temporary folder. Kept where it did not end well. */
  workFolder?: string | undefined;
  /** Compare, and end. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: (event: { disk: string; phase: RefreshPhase; done: number; total: number }) => void;
}

/** `changed`: files laid anew; `bytes` of them in all, of which `reused` were on the disk and `fetched` came from a web server. */
export interface RefreshFacts { disk: string; from: string | undefined; mediaId: string; changed: number; removed: number; kept: number; bytes: number; reused: number; fetched: number }
export type RefreshResult =
  | (RefreshFacts & { outcome: "refreshed" | "current" | "planned"; receipt?: Receipt; receiptFile?: string | undefined })
  | { disk: string; outcome: "failed"; error: Error };

/**
 * Brings staged disks on the shelf up to another media, a file or at a web server with ranges: what a disk holds already is neither
 * fetched nor written again. One disk that fails does not stop the others. All a disk needs is made beside it first; then its EFI
 * system partition gets a type no firmware starts from, its files are changed, everything is read back, and the type returns: at
 * any instant it is the old disk, the new one, or one that does not start and is finished by running this again.
 */
export async function refreshDisks(disks: readonly string[], location: string, options: RefreshDiskOptions): Promise<RefreshResult[]> {
  if (process.getuid?.() !== 0) throw new StagingError("PRESTAGE_STAGING_NOT_ROOT", "Expected to run as root, so that the files on the disk belong to root. Run it by sudo.");
  const media = await openMedia(location, options);
  const results: RefreshResult[] = [];
  const folders = new Set<string>();
  try {
    if (media.system === "windows") throw new StagingError("PRESTAGE_STAGING_NOT_REFRESHABLE", "Expected a Linux media: disks of Windows media, with their NTFS, are staged anew.");
    let before = 0; // the tables count as the first disk's
    for (const disk of disks) {
      results.push(await refreshDisk(disk, media, folders, options).then((result) => (result.outcome === "failed" ? result : { ...result, fetched: -before + (before = media.fetched) }), (error: unknown): RefreshResult => {
        options.signal?.throwIfAborted();
        return { disk, outcome: "failed", error: error instanceof Error ? error : new Error(String(error)) };
      }));
    }
  } finally {
    await media.close();
  }
  if (results.every((one) => one.outcome !== "failed")) for (const folder of folders) await rm(folder, { recursive: true, force: true });
  return results;
}

async function refreshDisk(path: string, media: OpenMedia, folders: Set<string>, options: RefreshDiskOptions): Promise<RefreshResult> {
  const { signal } = options;
  const tell = (phase: RefreshPhase, done: number, total: number) => options.onProgress?.({ disk: path, phase, done, total });
  const shelf = await openShelfDisk(path, options);
  const pieces = await DiskPieces.open(shelf);
  const folder = join(options.workFolder ?? (shelf.disk.kind === "file" ? dirname(shelf.disk.path) : tmpdir()), `.prestage-refresh-${media.media.mediaId.slice(0, 16)}`);
  // What was put together by an attempt that was cut short is there for the next one, not for a dry run to remove.
  if (options.dryRun !== true) folders.add(folder);
  let facts: RefreshFacts;
  let plan: RefreshPlan;
  let wanted: WantedFile[];
  const old = join(folder, `esp-${shelf.table.guid}`);
  try {
    if (options.trustedKeyring === undefined) await refuseOtherSite(shelf, pieces, media);
    wanted = await wantedFiles(media, pieces, signal);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await refuseForeignFolder(folder);
    await rm(old, { recursive: true, force: true });
    await mkdir(old, { mode: 0o700 });
    await copyFatTree(shelf.disk.path, shelf.esp, old, { signal }).catch((cause: unknown) => {
      if (!shelf.begun) throw cause; // else it is made anew
    });
    const total = wanted.reduce((sum, one) => sum + one.size, 0);
    let done = 0;
    const changed: WantedFile[] = [];
    for (const one of wanted) {
      if (!(await isThere(one, shelf, pieces, old, signal))) changed.push(one);
      tell("compare", (done += one.size), total);
    }
    const bytes = changed.reduce((sum, one) => sum + one.size, 0);
    facts = { disk: path, from: shelf.mediaId, mediaId: media.media.mediaId, changed: changed.length, removed: 0, kept: wanted.length - changed.length, bytes, reused: 0, fetched: 0 };
    plan = planRefresh(shelf, media, wanted, changed, folder);
    facts.removed = plan.removed.length;
    if (options.dryRun === true) {
      await rm(old, { recursive: true, force: true });
      await rmdir(folder).catch(() => undefined); // an earlier attempt's files are in it
      return { ...facts, outcome: "planned" };
    }
    if (plan.edits.length === 0 && !plan.esp && !shelf.begun) return { ...facts, outcome: "current" };
    const [free, needed] = [await statfs(folder), await bytesToMake(changed, folder)];
    if (free.bavail * free.bsize < needed) throw new StagingError("PRESTAGE_STAGING_NO_SPACE", `What changes needs ${needed} bytes in ${folder} while it is put together; ${free.bavail * free.bsize} are free. Name another folder with --work-folder.`);
    let made = 0;
    facts.reused = await makeFiles(changed, media, pieces, folder, { signal, onBytes: (count) => tell("fetch", (made += count), bytes) });
  } finally {
    await pieces.close();
  }
  // Nothing on the disk was changed so far.
  const golden = await isGolden(shelf);
  const machineSerial = options.machineSerial ?? (await readReceiptLeft(shelf.disk.path, shelf.volume).catch(() => undefined))?.receipt.machineSerial ?? undefined;
  await mark(shelf, refreshingType);
  tell("write", 0, 1);
  await editExt4(shelf.disk.path, shelf.volume, plan.edits, { signal });
  await runProgram("e2fsck", ["-f", "-p", `${shelf.disk.path}?offset=${shelf.volume.start}`], { accept: [0, 1], signal });
  if (plan.esp) await makeEsp(shelf, wanted, old, folder, signal);
  await settleDisk(shelf.disk.path, { signal });
  tell("write", 1, 1);
  const total = wanted.reduce((sum, one) => sum + one.size, 0);
  let done = 0;
  const place = (extent: { start: number; size: number }) => ({ device: shelf.disk.path, extent });
  const files = await readBack({ esp: expectedOf(wanted, "esp"), data: expectedOf(wanted, "data") }, place(shelf.esp), place(shelf.volume), { signal, mayBeThere: (name) => isOwn(name), onProgress: (count) => tell("verify", (done += count), total) });
  tell("receipt", 0, 1);
  const guids = { disk: shelf.table.guid, esp: shelf.esp.guid, volume: shelf.volume.guid, fileSystem: shelf.fileSystemUuid };
  const made = golden ? undefined : makeReceipt({ mediaId: media.media.mediaId, disk: shelf.disk, guids, files }, { ...options, machineSerial });
  if (made !== undefined) await leaveReceipt(shelf.disk.path, shelf.volume, made, files, { signal });
  await settleDisk(shelf.disk.path, { signal });
  if (made !== undefined) await checkReceiptLeft(shelf.disk.path, shelf.volume, made);
  await mark(shelf, espType);
  await rm(old, { recursive: true, force: true });
  tell("receipt", 1, 1);
  return { ...facts, outcome: "refreshed", ...(made && { receipt: made.receipt, receiptFile: await writeReceiptFiles(shelf.disk, made, options) }) };
}

/** A media of another site would make another site's computer of it. */
async function refuseOtherSite(shelf: ShelfDisk, pieces: DiskPieces, media: OpenMedia): Promise<void> {
  const onDisk = await pieces.readSmall(dataPaths.keyring).catch((cause: unknown) => {
    if (!shelf.begun) throw cause;
    return undefined; // a cut took it: then the media speaks for itself, as it does when a bare disk is staged
  });
  const onMedia = Buffer.from(await media.read("data", dataPaths.keyring, 0, media.size("data", dataPaths.keyring)));
  if (onDisk === undefined || onDisk.equals(onMedia)) return;
  try {
    openSuccessorKeyring(openTrustedKeyring(onDisk), onMedia);
  } catch (cause) {
    throw new StagingError("PRESTAGE_STAGING_OTHER_MEDIA", `Expected a media signed under the keyring on ${shelf.disk.path}, or under the next one of the same site; found another keyring on the media. If it is the site's, say so: --keyring FILE. Otherwise stage the disk anew.`, { cause });
  }
}

async function isThere(one: WantedFile, shelf: ShelfDisk, pieces: DiskPieces, esp: string, signal: AbortSignal | undefined): Promise<boolean> {
  if (one.volume === "esp") {
    const bytes = await readFile(join(esp, one.path)).catch(() => undefined);
    return bytes?.length === one.size && createHash("sha256").update(bytes).digest("hex") === one.sha256;
  }
  const node = shelf.nodes.get(one.path);
  if (node?.kind !== "file" || node.size !== one.size) return false;
  const sha256 = await pieces.sha256Of(one.path, () => undefined, signal).catch(() => undefined); // a bad sector
  return sha256 === one.sha256;
}

/** Its name can be known beforehand, and the system's temporary folder is everyone's: who made it could put files on the disk, or have root write elsewhere. */
async function refuseForeignFolder(folder: string): Promise<void> {
  const status = await lstat(folder);
  if (status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o022) === 0) return;
  throw new StagingError("PRESTAGE_STAGING_WORK_FOLDER", `Expected ${folder}, where what changes is put together, to be a folder of root's that nobody else may write to; found one of somebody else. Remove it, or name another place with --work-folder.`);
}

/** A golden disk has room for claim and receipt, and nothing in it. */
async function isGolden(shelf: ShelfDisk): Promise<boolean> {
  const reader = await Ext4Reader.open(shelf.disk.path, shelf.volume);
  try {
    return !(await reader.has(claimKeyPath)) || (await reader.readFile(claimKeyPath)).toString("latin1").trim() === "";
  } finally {
    await reader.close();
  }
}

/** A power cut leaves the old type or the new one; read back, because everything after it relies on it. */
async function mark({ disk, esp }: ShelfDisk, type: string): Promise<void> {
  const { sectorSize } = await readPartitionTable(disk.path);
  await writePartitionType(disk.path, disk.sizeBytes, sectorSize, esp.number, type);
  await settleDisk(disk.path);
  const found = (await readPartitionTable(disk.path)).partitions.find((one) => one.number === esp.number);
  if (found?.type !== type || found.guid !== esp.guid) throw new StagingError("PRESTAGE_STAGING_READ_BACK_FAILED", `The partition table read back from ${disk.path} is not the one that was written. Replace the disk.`);
  if (disk.kind !== "file") await runProgram("blockdev", ["--rereadpt", disk.path], { accept: [0, 1] }).catch(() => undefined); // a convenience: partition nodes for whoever looks next
}

/** Made anew, from what was on it and is still right, and what was put together: FAT has no journal a cut could not break. */
async function makeEsp(shelf: ShelfDisk, wanted: readonly WantedFile[], old: string, folder: string, signal: AbortSignal | undefined): Promise<void> {
  const tree = join(folder, `new-esp-${shelf.table.guid}`);
  await rm(tree, { recursive: true, force: true });
  for (const one of wanted.filter(({ volume }) => volume === "esp")) {
    const to = join(tree, one.path);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(join(folder, one.sha256), to).catch(() => copyFile(join(old, one.path), to));
  }
  await makeFat(shelf.disk.path, shelf.esp, { volumeId: randomBytes(4).toString("hex"), sectorSize: shelf.table.sectorSize, signal });
  await layFatTree(shelf.disk.path, shelf.esp, tree, { signal });
  await rm(tree, { recursive: true, force: true });
}
