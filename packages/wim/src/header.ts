import { WimError } from "./error.ts";
import { parseResourceHeader, writeResourceHeader, type ResourceHeader } from "./resource-header.ts";

export type WimCompression = "none" | "xpress" | "lzx";

/** The first 208 bytes of a WIM. */
export interface WimHeader {
  readonly version: number;
  readonly flags: number;
  readonly compression: WimCompression;
  /** Bytes of one chunk when decoded; 0 when nothing is compressed. */
  readonly chunkSize: number;
  readonly guid: Uint8Array;
  readonly imageCount: number;
  /** From 1; 0 is none. */
  readonly bootIndex: number;
  readonly blobTable: ResourceHeader;
  readonly xml: ResourceHeader;
  readonly bootMetadata: ResourceHeader;
  readonly integrity: ResourceHeader;
}

export const headerSize = 208;
export const headerFlags = {
  compressed: 0x2, split: 0x8, beingWritten: 0x40, xpress: 0x20000, lzx: 0x40000, lzms: 0x80000, oldXpress: 0x200000,
} as const;

const convert = "Convert it with: wimlib-imagex export IN all OUT.wim --compress=LZX:20 --check";

/** Parses and checks the header. Throws WimError for anything this package cannot read. */
export function parseHeader(bytes: Buffer): WimHeader {
  const magic = bytes.toString("latin1", 0, 8);
  if (magic === "WLPWM\0\0\0") throw new WimError("PRESTAGE_WIM_PIPABLE", `This is a pipable WIM. ${convert}`);
  if (magic !== "MSWIM\0\0\0") throw new WimError("PRESTAGE_WIM_NOT_A_WIM", "The file does not begin with MSWIM: it is not a WIM. Check that the right file was given.");
  expectField("header size", bytes.readUInt32LE(8), [headerSize]);
  const version = bytes.readUInt32LE(12);
  expectField("version", version, [0x10d00, 0xe00]);
  const flags = bytes.readUInt32LE(16);
  if ((flags & headerFlags.beingWritten) !== 0) throw new WimError("PRESTAGE_WIM_UNFINISHED", "The WIM is marked as being written: its writer was cut off. Build or fetch it again.");
  const compression = parseCompression(flags);
  const chunkSize = compression === "none" ? 0 : bytes.readUInt32LE(20);
  checkChunkSize(compression, chunkSize);
  checkParts(bytes.readUInt16LE(40), bytes.readUInt16LE(42));
  const imageCount = bytes.readUInt32LE(44);
  const bootIndex = bytes.readUInt32LE(120);
  if (imageCount > 65535) throw badHeader("image count", imageCount, "at most 65535");
  if (bootIndex > imageCount) throw badHeader("boot index", bootIndex, `at most ${imageCount}`);
  return {
    version, flags, compression, chunkSize, imageCount, bootIndex,
    guid: Uint8Array.from(bytes.subarray(24, 40)),
    blobTable: parseResourceHeader(bytes, 48),
    xml: parseResourceHeader(bytes, 72),
    bootMetadata: parseResourceHeader(bytes, 96),
    integrity: parseResourceHeader(bytes, 124),
  };
}

/** The 208 bytes of a header; `beingWritten` marks a file whose writing has not ended. */
export function serializeHeader(header: WimHeader): Buffer {
  const bytes = Buffer.alloc(headerSize);
  bytes.write("MSWIM\0\0\0", 0, "latin1");
  bytes.writeUInt32LE(headerSize, 8);
  bytes.writeUInt32LE(header.version, 12);
  bytes.writeUInt32LE(header.flags, 16);
  bytes.writeUInt32LE(header.chunkSize, 20);
  bytes.set(header.guid.subarray(0, 16), 24);
  bytes.writeUInt16LE(1, 40);
  bytes.writeUInt16LE(1, 42);
  bytes.writeUInt32LE(header.imageCount, 44);
  writeResourceHeader(bytes, 48, header.blobTable);
  writeResourceHeader(bytes, 72, header.xml);
  writeResourceHeader(bytes, 96, header.bootMetadata);
  bytes.writeUInt32LE(header.bootIndex, 120);
  writeResourceHeader(bytes, 124, header.integrity);
  return bytes;
}

/** The header flags that name a compression. */
export function compressionFlags(compression: WimCompression): number {
  if (compression === "none") return 0;
  return headerFlags.compressed | (compression === "lzx" ? headerFlags.lzx : headerFlags.xpress);
}

/** Exactly one method, or none. */
function parseCompression(flags: number): WimCompression {
  if ((flags & headerFlags.compressed) === 0) return "none";
  const methods = flags & (headerFlags.xpress | headerFlags.lzx | headerFlags.lzms | headerFlags.oldXpress);
  if (methods === headerFlags.lzms) throw new WimError("PRESTAGE_WIM_SOLID", `The WIM is compressed with LZMS. ${convert}`);
  if (methods === headerFlags.lzx) return "lzx";
  if (methods === headerFlags.xpress || methods === headerFlags.oldXpress) return "xpress";
  throw badHeader("compression flags", methods, "exactly one method");
}

/** A power of two in the range the method allows. */
function checkChunkSize(compression: WimCompression, size: number): void {
  if (compression === "none") return;
  const [least, most] = compression === "lzx" ? [2 ** 15, 2 ** 21] : [2 ** 12, 2 ** 16];
  if (size < least || size > most || (size & (size - 1)) !== 0) throw badHeader("chunk size", size, `a power of two from ${least} to ${most}`);
}

function checkParts(part: number, total: number): void {
  if (part === 0 || part > total) throw badHeader("part number", part, `1 to ${total}`);
  if (total > 1) throw new WimError("PRESTAGE_WIM_SPLIT", `This is part ${part} of ${total} of a split WIM. Join the parts with: wimlib-imagex join OUT.wim PARTS`);
}

function expectField(name: string, found: number, expected: number[]): void {
  if (!expected.includes(found)) throw badHeader(name, found, expected.join(" or "));
}

function badHeader(name: string, found: number, expected: string): WimError {
  return new WimError("PRESTAGE_WIM_HEADER", `The header's ${name} is ${found}, expected ${expected}. The file is damaged; get it again from its source.`);
}
