import { createHash } from "node:crypto";
import { checkChunkLists, openIndex } from "@prestage/content";
import { describeDisk, espType, Ext4Reader, readPartitionTable, type DiskDescription, type Partition, type PartitionTable } from "@prestage/disk";
import { contentFolder, contentIdsOf, dataPaths, openManifest, type Manifest } from "@prestage/media";
import { keysOfRole, openTrustedKeyring } from "@prestage/trust";
import { StagingError } from "./error.ts";
import type { ExpectedFile } from "./media-files.ts";

/** A staged disk as it describes itself: its places, its signed manifest, and what each volume must hold. */
export interface DiskFiles {
  disk: DiskDescription;
  table: PartitionTable;
  espPartition: Partition;
  volumePartition: Partition;
  fileSystemUuid: string;
  needsRecovery: boolean;
  mediaId: string;
  manifest: Manifest;
  esp: Map<string, ExpectedFile>;
  data: Map<string, ExpectedFile>;
  bytes: number;
}

export interface DiskFilesOptions {
  /** The site's keyring, where it is known: the media must be signed under it; else the one on the disk is believed. */
  trustedKeyring?: Uint8Array | undefined;
  signal?: AbortSignal | undefined;
}

/** Larger indexes and chunk lists are refused. */
const mostIndexBytes = 512 << 20;

/**
 * Reads a staged disk's table, manifest and indexes, without mounting it and without changing anything.
 * @throws StagingError PRESTAGE_STAGING_NOT_STAGED, TrustError, MediaError, ContentError where what it says of itself is not sound
 */
export async function readDiskFiles(path: string, options: DiskFilesOptions = {}): Promise<DiskFiles> {
  const disk = await describeDisk(path, options);
  const table = await readPartitionTable(disk.path, options);
  const espPartition = table.partitions.find((partition) => partition.type === espType);
  if (espPartition === undefined) throw notStaged(disk.path, "no EFI system partition");
  for (const volumePartition of table.partitions.filter((partition) => partition !== espPartition)) {
    const reader = await Ext4Reader.open(disk.path, volumePartition).catch(() => undefined); // another file system, or none
    if (reader === undefined) continue;
    try {
      if (!(await reader.has(dataPaths.manifest))) continue;
      const { fileSystemUuid, needsRecovery } = { fileSystemUuid: reader.uuid, needsRecovery: reader.needsRecovery };
      return { disk, table, espPartition, volumePartition, fileSystemUuid, needsRecovery, ...(await describedFiles(reader, options)) };
    } finally {
      await reader.close();
    }
  }
  throw notStaged(disk.path, `no data volume with /${dataPaths.manifest} on ${table.partitions.length} partitions`);
}

async function describedFiles(reader: Ext4Reader, options: DiskFilesOptions): Promise<Pick<DiskFiles, "mediaId" | "manifest" | "esp" | "data" | "bytes">> {
  const onDisk = await reader.readFile(dataPaths.keyring);
  const keyring = openTrustedKeyring(options.trustedKeyring ?? onDisk);
  const envelope = await reader.readFile(dataPaths.manifest, 96 << 20);
  const { manifest, mediaId } = openManifest(envelope, keysOfRole(keyring, "media"));
  const esp = new Map<string, ExpectedFile>();
  const data = new Map<string, ExpectedFile>([[dataPaths.manifest, described(envelope)]]);
  for (const file of manifest.files) (file.volume === "esp" ? esp : data).set(file.path, file);
  for (const id of contentIdsOf(manifest)) {
    options.signal?.throwIfAborted();
    const folder = contentFolder(id);
    const [indexBytes, chunkBytes] = [await reader.readFile(`${folder}/index.json`, mostIndexBytes), await reader.readFile(`${folder}/chunks.bin`, mostIndexBytes)];
    const index = openIndex(indexBytes, id);
    checkChunkLists(index, chunkBytes);
    data.set(`${folder}/index.json`, described(indexBytes)).set(`${folder}/chunks.bin`, described(chunkBytes));
    for (const file of index.files) data.set(`${folder}/files/${file.path}`, file);
  }
  const bytes = [...esp.values(), ...data.values()].reduce((sum, file) => sum + file.size, 0);
  return { mediaId, manifest, esp, data, bytes };
}

function described(bytes: Buffer): ExpectedFile {
  return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

export function notStaged(path: string, found: string): StagingError {
  return new StagingError("PRESTAGE_STAGING_NOT_STAGED", `Expected a staged disk at ${path}; found ${found}. Stage it with \`prestage stage MEDIA --disk ${path}\`.`);
}
