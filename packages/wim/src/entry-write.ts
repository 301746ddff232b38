import { align8, readUtf16 } from "./bytes.ts";
import { attributeFlags, entryFixedSize, layoutOf, unixTag, type UnixItem } from "./entry.ts";

/** A directory entry made from nothing. All three times are `time`, 100 ns since 1601. */
export function makeEntry(name: string, isDirectory: boolean, time: bigint, unix: UnixItem | undefined): Buffer {
  const nameEnd = align8(entryFixedSize + (name === "" ? 0 : name.length * 2 + 2));
  const raw = Buffer.alloc(nameEnd + (unix === undefined ? 0 : 24));
  raw.writeBigUInt64LE(BigInt(raw.length), 0);
  raw.writeUInt32LE(isDirectory ? attributeFlags.directory : attributeFlags.normal, 8);
  raw.writeInt32LE(-1, 12);
  for (const offset of [40, 48, 56]) raw.writeBigUInt64LE(time, offset);
  writeName(raw, name);
  if (unix !== undefined) {
    [unixTag, 16, unix.uid, unix.gid, unix.mode, unix.rdev].forEach((value, i) => raw.writeUInt32LE(value >>> 0, nameEnd + 4 * i));
  }
  return raw;
}

/** The same entry under another name and without a short one: a grafted root takes the name of its destination. */
export function renameEntry(raw: Buffer, name: string): Buffer {
  const layout = layoutOf(raw);
  const tail = raw.subarray(layout.taggedStart);
  const nameEnd = align8(entryFixedSize + (name === "" ? 0 : name.length * 2 + 2));
  const renamed = Buffer.alloc(nameEnd + tail.length);
  raw.copy(renamed, 0, 0, entryFixedSize);
  renamed.writeBigUInt64LE(BigInt(nameEnd + layout.length - layout.taggedStart), 0);
  renamed.writeUInt16LE(0, 98);
  writeName(renamed, name);
  tail.copy(renamed, nameEnd);
  return renamed;
}

export function entryName(raw: Buffer): string {
  return readUtf16(raw, entryFixedSize, raw.readUInt16LE(100));
}

function writeName(raw: Buffer, name: string): void {
  raw.writeUInt16LE(name.length * 2, 100);
  raw.write(name, entryFixedSize, "utf16le");
}
