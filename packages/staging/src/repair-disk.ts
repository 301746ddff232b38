import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkChunkLists, completeDescription, fetchPlanned, LocalCache, openIndex, planFetch, runWimlib, type ContentSource, type FetchOptions } from "@prestage/content";
import { addExt4File, Ext4Reader, layFatTree, removeExt4Files, runProgram, settleDisk } from "@prestage/disk";
import { contentFolder, inspectMedia, mediaImages } from "@prestage/media";
import { describeDiskDamage, findDiskDamage, type DiskDamage, type DiskDamageOptions } from "./disk-damage.ts";
import { readDiskFiles, type DiskFiles, type DiskFilesOptions } from "./disk-files.ts";
import { StagingError } from "./error.ts";

/** Where right bytes come from: the media file the disk was staged from, or distribution points. */
export type RepairSource = { kind: "media"; path: string } | { kind: "distribution-points"; sources: readonly ContentSource[] };

export interface RepairOptions extends DiskFilesOptions, DiskDamageOptions {
  fetch?: FetchOptions;
}

export interface RepairedFile { volume: "esp" | "data"; path: string; was: string; /** Bytes written to the disk. */ written: number; /** Bytes that came from a distribution point. */ fetched: number }

/** Blocks are compared and written in this size, in bytes. */
const blockSize = 4096;

/**
 * Mends a staged disk on the shelf: of each damaged file only what differs is written, where it lies. Then the disk is read whole
 * once more. Safe to run again after a power cut.
 * @throws StagingError PRESTAGE_STAGING_NOT_REPAIRABLE, PRESTAGE_STAGING_OTHER_MEDIA, PRESTAGE_STAGING_DISK_IN_USE, ContentError
 */
export async function repairDisk(path: string, source: RepairSource, options: RepairOptions = {}): Promise<RepairedFile[]> {
  const disk = await readDiskFiles(path, options);
  if (disk.disk.inUse.length > 0) throw new StagingError("PRESTAGE_STAGING_DISK_IN_USE", `${disk.disk.path} is in use: ${disk.disk.inUse.join(", ")}. Unmount or detach it first.`);
  if (source.kind === "media") await refuseOtherMedia(disk, source.path, options);
  if (disk.needsRecovery) await runProgram("e2fsck", ["-p", `${disk.disk.path}?offset=${disk.volumePartition.start}`], { accept: [0, 1], signal: options.signal });
  const damage = await findDiskDamage(disk, options);
  const work = await mkdtemp(join(tmpdir(), "prestage-repair-"));
  const repaired: RepairedFile[] = [];
  try {
    for (const one of damage) {
      options.signal?.throwIfAborted();
      const { file, fetched } = source.kind === "media" ? { file: await fromMedia(source.path, one, work, options.signal), fetched: 0 } : await fromDistributionPoint(disk, one, source.sources, work, options);
      await checkMended(file, one);
      const written = one.volume === "esp" ? await writeToEsp(disk, one, file, work, options.signal) : await writeToVolume(disk, one, file, options.signal);
      repaired.push({ volume: one.volume, path: one.path, was: describeDiskDamage(one), written, fetched });
      await rm(join(work, "mended"), { recursive: true, force: true });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await settleDisk(disk.disk.path, { signal: options.signal });
  const [left] = repaired.length === 0 ? [] : await findDiskDamage(await readDiskFiles(path, options), options);
  if (left !== undefined) throw notRepairable(left, `it is still wrong after it was written: ${describeDiskDamage(left)}. Replace the disk`);
  return repaired;
}

async function refuseOtherMedia(disk: DiskFiles, path: string, options: DiskFilesOptions): Promise<void> {
  const media = await inspectMedia(path, options.trustedKeyring === undefined ? {} : { trustedKeyring: options.trustedKeyring });
  if (media.mediaId !== disk.mediaId) throw new StagingError("PRESTAGE_STAGING_OTHER_MEDIA", `Expected the media the disk was staged from, ${disk.mediaId}; found ${media.mediaId} in ${path}. Give the right file, or stage the disk anew.`);
}

async function fromMedia(media: string, { volume, path }: DiskDamage, work: string, signal: AbortSignal | undefined): Promise<string> {
  const folder = join(work, "mended");
  await mkdir(folder);
  await runWimlib(["extract", media, String(volume === "esp" ? mediaImages.boot : mediaImages.data), `/${path}`, `--dest-dir=${folder}`, "--preserve-dir-structure", "--no-acls", "--no-globs"], signal === undefined ? {} : { signal });
  return join(folder, path);
}

/** What of the file is right on the disk is kept; only its bad chunks are fetched. */
async function fromDistributionPoint(disk: DiskFiles, damage: DiskDamage, sources: readonly ContentSource[], work: string, options: RepairOptions): Promise<{ file: string; fetched: number }> {
  const [, contentId, path] = /^prestage\/content\/([0-9a-f]{64})\/files\/(.+)$/s.exec(damage.path) ?? [];
  if (damage.volume === "esp" || contentId === undefined || path === undefined) throw notRepairable(damage, "it is no content, and a distribution point has only that. Repair it --from the media file");
  const cache = new LocalCache(join(work, "mended"));
  const file = cache.filePath(contentId, path);
  const reader = await Ext4Reader.open(disk.disk.path, disk.volumePartition);
  try {
    const folder = contentFolder(contentId);
    const index = openIndex(await reader.readFile(`${folder}/index.json`, 512 << 20), contentId);
    const chunks = await reader.readFile(`${folder}/chunks.bin`, 512 << 20);
    checkChunkLists(index, chunks);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    if (damage.found !== undefined) await copyOut(reader, damage.path, file);
    // Without a policy nothing names the storage map's hash; what comes by it is checked by the index.
    const version = await completeDescription(sources, contentId, undefined, { index, chunks }, options.fetch);
    const indexFile = index.files.find((one) => one.path === path);
    if (indexFile === undefined) throw notRepairable(damage, "its index does not name it");
    const answer = { state: "revised" as const, files: [{ file: indexFile, state: damage.found === undefined ? ("missing" as const) : ("revised" as const) }] };
    const plan = await planFetch(cache, contentId, answer, version, options.signal === undefined ? {} : { signal: options.signal });
    const { bytes } = await fetchPlanned(cache, sources, contentId, plan, { ...options.fetch, ...(options.signal && { signal: options.signal }) });
    return { file, fetched: bytes };
  } finally {
    await reader.close();
  }
}

async function copyOut(reader: Ext4Reader, path: string, to: string): Promise<void> {
  const file = await open(to, "w", 0o600);
  try {
    for await (const node of reader.walk()) {
      if (node.path !== path) continue;
      for await (const part of reader.read(node.inode)) await file.write(part);
      return;
    }
  } finally {
    await file.close();
  }
}

async function checkMended(file: string, damage: DiskDamage): Promise<void> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) hash.update(part);
  const found = hash.digest("hex");
  if (found !== damage.expected.sha256) throw notRepairable(damage, `the source has SHA-256 ${found} for it, expected ${damage.expected.sha256}. Get the media again and compare its .sha256`);
}

/** Overwrites what differs where it lies; a file that is missing or of another size is written anew. Returns the bytes written. */
async function writeToVolume(disk: DiskFiles, damage: DiskDamage, from: string, signal: AbortSignal | undefined): Promise<number> {
  const { path, expected, found } = damage;
  if (found?.size !== expected.size) {
    if (!/^[A-Za-z0-9._/+#-]+$/.test(path)) throw notRepairable(damage, "its name has characters that can't be written without mounting. Stage the disk again");
    if (found !== undefined) await removeExt4Files(disk.disk.path, disk.volumePartition, [path], { signal });
    await addExt4File(disk.disk.path, disk.volumePartition, path, { path: from }, { signal });
    return expected.size;
  }
  const reader = await Ext4Reader.open(disk.disk.path, disk.volumePartition);
  const places = await reader.locate(path).finally(() => void reader.close());
  const [source, target] = [await open(from, "r"), await open(disk.disk.path, "r+")];
  let written = 0;
  try {
    let at = 0;
    for (const place of places) {
      for (let done = 0; done < place.size; ) {
        const length = Math.min(blockSize, place.size - done);
        const [right, is] = [Buffer.alloc(length), Buffer.alloc(length)];
        await source.read(right, 0, length, at + done);
        await target.read(is, 0, length, place.start + done).catch(() => undefined); // a bad sector: writing it may bring it back
        if (!right.equals(is)) {
          await target.write(right, 0, length, place.start + done);
          written += length;
        }
        done += length;
      }
      at += place.size;
    }
    await target.sync();
  } finally {
    await source.close();
    await target.close();
  }
  return written;
}

async function writeToEsp(disk: DiskFiles, { path, expected }: DiskDamage, from: string, work: string, signal: AbortSignal | undefined): Promise<number> {
  const tree = join(work, "esp");
  await mkdir(dirname(join(tree, path)), { recursive: true });
  await copyFile(from, join(tree, path));
  await layFatTree(disk.disk.path, disk.espPartition, tree, { signal, overwrite: true });
  await rm(tree, { recursive: true });
  return (await stat(from)).size === expected.size ? expected.size : 0;
}

function notRepairable(damage: DiskDamage, why: string): StagingError {
  return new StagingError("PRESTAGE_STAGING_NOT_REPAIRABLE", `Expected to mend ${damage.volume === "esp" ? "ESP:" : ""}/${damage.path}; ${why}.`);
}
