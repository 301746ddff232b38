import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { DiskError } from "./error.ts";

// UEFI Specification 2.10, section 5.3 "GUID Partition Table (GPT) Disk Layout": little-endian, LBA in sectors of the disk.

interface Gpt {
  header: Buffer;
  entries: Buffer;
}

/** What a partition is told by: its type and its own GUID. */
interface PartitionIdentity { type: string; guid: string }

/**
 * Writes other GUIDs into a disk's GPT and keeps everything else: partitions, names, boot code.
 * @throws DiskError PRESTAGE_DISK_BAD_TABLE
 */
export async function writeGptGuids(disk: string, sizeBytes: number, sectorSize: number, guids: { disk: string; /** By number, from 1. */ partitions: ReadonlyMap<number, string> }): Promise<void> {
  await rewriteGpt(disk, sizeBytes, sectorSize, guids.disk, (number, identity) => {
    const guid = guids.partitions.get(number);
    if (guid === undefined) throw bad(disk, `a partition ${number} that was not there when the disk was looked at`);
    return { ...identity, guid };
  });
}

/**
 * Gives one partition another type and keeps everything else.
 * @throws DiskError PRESTAGE_DISK_BAD_TABLE
 */
export async function writePartitionType(disk: string, sizeBytes: number, sectorSize: number, number: number, type: string): Promise<void> {
  await rewriteGpt(disk, sizeBytes, sectorSize, undefined, (one, identity) => (one === number ? { ...identity, type } : identity));
}

/**
 * The second table moves to the end of a disk that is larger than the one it was copied from. It is written and flushed before
 * the first is touched: a power cut leaves one of them whole, the old or the new.
 */
async function rewriteGpt(disk: string, sizeBytes: number, sectorSize: number, diskGuid: string | undefined, change: (number: number, identity: PartitionIdentity) => PartitionIdentity): Promise<void> {
  const lastLba = Math.floor(sizeBytes / sectorSize) - 1;
  const file = await open(disk, "r+");
  try {
    const gpt = (await readGpt(file, sectorSize, 1, lastLba)) ?? (await readGpt(file, sectorSize, lastLba, lastLba));
    if (gpt === undefined) throw bad(disk, "neither its first nor its second GPT whole");
    const entrySize = gpt.header.readUInt32LE(84);
    const entrySectors = Math.ceil(gpt.entries.length / sectorSize);
    const lastUsable = lastLba - entrySectors - 1;
    for (let number = 1; number * entrySize <= gpt.entries.length; number++) {
      const entry = gpt.entries.subarray((number - 1) * entrySize, number * entrySize);
      if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
      if (entry.readBigUInt64LE(40) > BigInt(lastUsable)) throw bad(disk, `partition ${number} beyond the end of the disk; it was copied from a larger one`);
      const { type, guid } = change(number, { type: guidText(entry.subarray(0, 16)), guid: guidText(entry.subarray(16, 32)) });
      guidBytes(type).copy(entry, 0);
      guidBytes(guid).copy(entry, 16);
    }
    if (diskGuid !== undefined) guidBytes(diskGuid).copy(gpt.header, 56);
    await writeTable(file, gpt, { at: lastLba, other: 1, entries: lastLba - entrySectors, lastUsable }, sectorSize);
    await writeTable(file, gpt, { at: 1, other: lastLba, entries: 2, lastUsable }, sectorSize);
    await writeProtectiveSize(file, lastLba);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A table whose header and entries have the checksums they should have; undefined where they have not. */
async function readGpt(file: FileHandle, sectorSize: number, lba: number, lastLba: number): Promise<Gpt | undefined> {
  const sector = Buffer.alloc(sectorSize);
  await file.read(sector, 0, sectorSize, lba * sectorSize);
  const size = sector.readUInt32LE(12);
  if (sector.toString("latin1", 0, 8) !== "EFI PART" || size < 92 || size > sectorSize) return undefined;
  const header = Buffer.from(sector.subarray(0, size));
  const checksum = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  const [entriesLba, count, entrySize] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)];
  if (crc32(header) !== checksum || count < 1 || count > 1024 || entrySize < 128 || entrySize > 1024 || entriesLba < 2 || entriesLba > lastLba) return undefined;
  const entries = Buffer.alloc(count * entrySize);
  await file.read(entries, 0, entries.length, entriesLba * sectorSize);
  return crc32(entries) === header.readUInt32LE(88) ? { header, entries } : undefined;
}

async function writeTable(file: FileHandle, gpt: Gpt, places: { at: number; other: number; entries: number; lastUsable: number }, sectorSize: number): Promise<void> {
  const header = Buffer.alloc(sectorSize);
  gpt.header.copy(header);
  for (const [offset, lba] of [[24, places.at], [32, places.other], [48, places.lastUsable], [72, places.entries]] as const) header.writeBigUInt64LE(BigInt(lba), offset);
  header.writeUInt32LE(crc32(gpt.entries), 88);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header.subarray(0, gpt.header.length)), 16);
  await file.write(gpt.entries, 0, gpt.entries.length, places.entries * sectorSize);
  await file.write(header, 0, sectorSize, places.at * sectorSize);
  await file.sync();
}

/** The protective MBR names the disk's size, as far as 32 bits hold it. */
async function writeProtectiveSize(file: FileHandle, lastLba: number): Promise<void> {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(Math.min(lastLba, 0xffffffff));
  await file.write(size, 0, 4, 446 + 12);
}

/** Appendix A of the specification: the first three fields are little-endian. */
function guidBytes(guid: string): Buffer {
  const hex = guid.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new TypeError(`not a GUID: ${guid}`);
  const bytes = Buffer.from(hex, "hex");
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function guidText(bytes: Buffer): string {
  const fields = Buffer.from(bytes);
  fields.subarray(0, 4).reverse();
  fields.subarray(4, 6).reverse();
  fields.subarray(6, 8).reverse();
  const hex = fields.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function bad(disk: string, found: string): DiskError {
  return new DiskError("PRESTAGE_DISK_BAD_TABLE", `Expected a GPT on ${disk} whose GUIDs can be changed; found ${found}. Copy or stage the disk again.`);
}
