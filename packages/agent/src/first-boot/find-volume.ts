import { mkdir, stat } from "node:fs/promises";
import { findDiskByPartition } from "@prestage/disk";
import type { DataFileSystem, Partition, PartitionTable } from "@prestage/disk";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";

/** Where the media lies: the disk this computer was started from, never "the first disk". */
export interface StartVolume { disk: string; table: PartitionTable; espPartition: string; espGuid: string; dataPartition: string; dataGuid: string; dataFileSystemUuid: string; dataFileSystem: DataFileSystem }

const probeFolder = "/run/prestage/probe";

/**
 * Finds the disk by the GUID of the EFI system partition GRUB came from (`prestage.esp=` on the kernel's command line),
 * and on that disk the one partition with a /prestage/manifest.dsse.json.
 * @throws DiskError where the disk does not appear, AgentError PRESTAGE_AGENT_NO_START_PARTITION, PRESTAGE_AGENT_NO_VOLUME, PRESTAGE_AGENT_TWO_VOLUMES
 */
export async function findStartVolume(espGuid: string | undefined, log: (line: string) => void): Promise<StartVolume> {
  if (espGuid === undefined || espGuid === "") {
    throw new AgentError("PRESTAGE_AGENT_NO_START_PARTITION", "Expected prestage.esp=GUID on the kernel's command line; found none.", "Start from the staged disk, through its own boot loader.");
  }
  const { path: disk, table } = await findDiskByPartition(espGuid);
  log(`started from ${disk}`);
  const esp = table.partitions.find((partition) => partition.guid.toLowerCase() === espGuid.toLowerCase());
  const candidates = table.partitions.filter((partition) => partition !== esp);
  let holders = await findHolders(candidates);
  if (holders.length === 0) {
    // After a power cut only the journal may know where the media lies.
    for (const { node } of candidates) await replayJournal(node, log);
    holders = await findHolders(candidates);
  }
  const [volume, second] = holders;
  if (esp === undefined || volume === undefined) {
    throw new AgentError("PRESTAGE_AGENT_NO_VOLUME", `Expected a partition with /prestage/manifest.dsse.json on ${disk}; found none on ${table.partitions.length} partitions.`, "Stage the disk again.");
  }
  if (second !== undefined) {
    throw new AgentError("PRESTAGE_AGENT_TWO_VOLUMES", `Expected one partition with a media on ${disk}; found ${holders.map((one) => one.device).join(", ")}.`, "Stage the disk again, or remove /prestage from one of them.");
  }
  return { disk, table, espPartition: esp.node, espGuid: esp.guid, dataPartition: volume.device, dataGuid: volume.guid, dataFileSystemUuid: volume.uuid, dataFileSystem: volume.fileSystem };
}

interface Holder { device: string; guid: string; uuid: string; fileSystem: DataFileSystem }

/** Which of these partitions have a media on them. */
export async function findHolders(partitions: readonly Pick<Partition, "node" | "guid">[]): Promise<Holder[]> {
  const holders: Holder[] = [];
  for (const { node, guid } of partitions) {
    const [uuid, type] = [await fileSystemUuid(node), await fileSystemTag(node, "TYPE")];
    const fileSystem = type === "ntfs" ? "ntfs" : "ext4";
    if (uuid !== undefined && (await holdsMedia(node, fileSystem))) holders.push({ device: node, guid, uuid, fileSystem });
  }
  return holders;
}

/** Completes what the power cut off, as mounting for writing would; e2fsck refuses whatever is not ext4. */
async function replayJournal(device: string, log: (line: string) => void): Promise<void> {
  const { code, output } = await runCommand("e2fsck", ["-p", device]);
  log(`e2fsck ${device}: ${code} ${output.slice(0, 500)}`);
}

async function holdsMedia(device: string, fileSystem: DataFileSystem): Promise<boolean> {
  await mkdir(probeFolder, { recursive: true });
  // noload: looking must not write, not even to replay a journal; ntfs-3g does not where it may only read.
  const mounted = fileSystem === "ntfs" ? await runCommand("ntfs-3g", ["-o", "ro,streams_interface=none", device, probeFolder]) : await runCommand("mount", ["-t", "ext4", "-o", "ro,noload", device, probeFolder]);
  if (mounted.code !== 0) return false;
  try {
    return await stat(`${probeFolder}/prestage/manifest.dsse.json`).then((status) => status.isFile(), () => false);
  } finally {
    await runCommand("umount", [probeFolder]);
  }
}

async function fileSystemTag(device: string, tag: "UUID" | "TYPE"): Promise<string | undefined> {
  const { code, output } = await runCommand("blkid", ["-p", "-o", "value", "-s", tag, device]);
  return code === 0 ? output : undefined;
}

/** That of NTFS is a serial number of 16 digits. */
async function fileSystemUuid(device: string): Promise<string | undefined> {
  const uuid = await fileSystemTag(device, "UUID");
  return /^([0-9a-fA-F-]{36}|[0-9a-fA-F]{16})$/.test(uuid ?? "") ? uuid : undefined;
}
