import { align8, readSha1, readUtf16 } from "./bytes.ts";

export interface WimStream {
  readonly name: string;
  /** undefined = empty. */
  readonly sha1: string | undefined;
}

export interface UnixItem {
  readonly uid: number;
  readonly gid: number;
  /** File type and permission bits as in st_mode. */
  readonly mode: number;
  readonly rdev: number;
}

/** A file, folder or link of an image. Times in units of 100 ns since 1601. */
export interface WimEntry {
  /** UTF-16 as stored: may hold lone surrogates. */
  readonly name: string;
  readonly shortName: string;
  readonly attributes: number;
  /** A link to a directory is none: it has a reparse tag and no children. */
  readonly isDirectory: boolean;
  /** Index into the image's security descriptors; -1 = none. */
  readonly securityIndex: number;
  readonly created: bigint;
  readonly accessed: bigint;
  readonly written: bigint;
  /** Entries with the same non-zero group and the same data are hard links of one file. 0 for links and directories. */
  readonly hardLinkGroup: bigint;
  readonly reparseTag: number | undefined;
  /** The reparse data (without its 8-byte header); only of entries with a reparse tag. */
  readonly reparseSha1: string | undefined;
  /** Unnamed data; undefined = empty, or a directory or link. */
  readonly sha1: string | undefined;
  /** Named streams. */
  readonly streams: readonly WimStream[];
  readonly unix: UnixItem | undefined;
  /** `u32 tag | u32 length | data` padded to 8, as stored. */
  readonly taggedItems: Uint8Array;
  /** The whole directory entry as stored, extra streams included. */
  readonly raw: Uint8Array;
  readonly children: WimEntry[];
}

export const entryFixedSize = 102;
export const attributeFlags = { directory: 0x10, normal: 0x80, reparsePoint: 0x400 } as const;
export const symlinkTag = 0xa000000c;
export const unixTag = 0x337dd873;

/** Where the parts of a checked directory entry lie, relative to its start. */
export interface EntryLayout {
  /** Fixed part, names and tagged items; a multiple of 8. */
  readonly length: number;
  readonly nameBytes: number;
  readonly shortNameBytes: number;
  readonly taggedStart: number;
  readonly streamCount: number;
}

/** A view of a directory entry that has been checked by the metadata parser; reads its fields when asked. */
export class StoredEntry implements WimEntry {
  readonly name: string;
  readonly raw: Buffer;
  readonly securityIndex: number;
  readonly children: WimEntry[] = [];

  constructor(raw: Buffer, securityIndex: number) {
    this.raw = raw;
    this.securityIndex = securityIndex;
    this.name = readUtf16(raw, entryFixedSize, raw.readUInt16LE(100));
  }

  get shortName(): string {
    const nameBytes = this.raw.readUInt16LE(100);
    return readUtf16(this.raw, entryFixedSize + (nameBytes === 0 ? 0 : nameBytes + 2), this.raw.readUInt16LE(98));
  }
  get attributes(): number {
    return this.raw.readUInt32LE(8);
  }
  get isDirectory(): boolean {
    return (this.attributes & (attributeFlags.directory | attributeFlags.reparsePoint)) === attributeFlags.directory;
  }
  get created(): bigint {
    return this.raw.readBigUInt64LE(40);
  }
  get accessed(): bigint {
    return this.raw.readBigUInt64LE(48);
  }
  get written(): bigint {
    return this.raw.readBigUInt64LE(56);
  }
  get hardLinkGroup(): bigint {
    return this.isReparsePoint || this.isDirectory ? 0n : this.raw.readBigUInt64LE(88);
  }
  get reparseTag(): number | undefined {
    return this.isReparsePoint ? this.raw.readUInt32LE(88) : undefined;
  }
  get reparseSha1(): string | undefined {
    return this.isReparsePoint ? this.unnamed()[0] : undefined;
  }
  get sha1(): string | undefined {
    return this.unnamed()[this.isReparsePoint ? 1 : 0];
  }
  get streams(): WimStream[] {
    return this.extraStreams().filter((stream) => stream.name !== "");
  }
  get taggedItems(): Uint8Array {
    const { taggedStart, length } = layoutOf(this.raw);
    return this.raw.subarray(taggedStart, length);
  }
  get unix(): UnixItem | undefined {
    const item = findTaggedItem(this.taggedItems, unixTag);
    if (item === undefined || item.length < 16) return undefined;
    return { uid: item.readUInt32LE(0), gid: item.readUInt32LE(4), mode: item.readUInt32LE(8), rdev: item.readUInt32LE(12) };
  }

  private get isReparsePoint(): boolean {
    return (this.attributes & attributeFlags.reparsePoint) !== 0;
  }

  /** Hashes of the unnamed streams in order: that in the entry itself, if any, then the extra ones. */
  private unnamed(): (string | undefined)[] {
    const own = readSha1(this.raw, 64);
    const extra = this.extraStreams().filter((stream) => stream.name === "").map((stream) => stream.sha1);
    return own === undefined && extra.length > 0 ? extra : [own, ...extra];
  }

  private extraStreams(): WimStream[] {
    return readExtraStreams(this.raw, layoutOf(this.raw));
  }
}

/** The parts of an entry; throws RangeError when they do not fit. */
export function layoutOf(raw: Buffer): EntryLayout {
  const length = align8(Number(raw.readBigUInt64LE(0)));
  const nameBytes = raw.readUInt16LE(100);
  const shortNameBytes = raw.readUInt16LE(98);
  const names = (nameBytes === 0 ? 0 : nameBytes + 2) + (shortNameBytes === 0 ? 0 : shortNameBytes + 2);
  if (((nameBytes | shortNameBytes) & 1) !== 0 || entryFixedSize + names > length || length > raw.length) throw new RangeError("names do not fit into the entry");
  return { length, nameBytes, shortNameBytes, taggedStart: Math.min(length, align8(entryFixedSize + names)), streamCount: raw.readUInt16LE(96) };
}

/** `u64 length | u64 | SHA-1 | u16 name bytes | name | u16 0`, each padded to 8, behind the entry's `length`. */
export function readExtraStreams(raw: Buffer, layout: EntryLayout): WimStream[] {
  const streams: WimStream[] = [];
  let at = layout.length;
  for (let i = 0; i < layout.streamCount; i++) {
    const nameBytes = raw.readUInt16LE(at + 36);
    streams.push({ name: readUtf16(raw, at + 38, nameBytes), sha1: readSha1(raw, at + 16) });
    at += extraStreamSize(raw, at);
  }
  return streams;
}

/** Size of the extra stream entry at `at`, padding included; throws RangeError when it is not valid. */
export function extraStreamSize(bytes: Buffer, at: number): number {
  const length = align8(Number(bytes.readBigUInt64LE(at)));
  const nameBytes = bytes.readUInt16LE(at + 36);
  if (length < 38 + nameBytes || (nameBytes & 1) !== 0 || length > bytes.length - at) throw new RangeError("a stream entry does not fit");
  return length;
}

/** The data of the first tagged item with this tag. */
export function findTaggedItem(items: Uint8Array, tag: number): Buffer | undefined {
  const bytes = Buffer.from(items.buffer, items.byteOffset, items.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    if (length > bytes.length - at - 8) return undefined;
    if (bytes.readUInt32LE(at) === tag) return bytes.subarray(at + 8, at + 8 + length);
    at = align8(at + 8 + length);
  }
  return undefined;
}

/** Every SHA-1 an entry refers to, one for each stream with data. */
export function storedHashes(raw: Buffer): string[] {
  const own = readSha1(raw, 64);
  const extra = readExtraStreams(raw, layoutOf(raw)).map((stream) => stream.sha1);
  return [own, ...extra].filter((sha1) => sha1 !== undefined);
}
