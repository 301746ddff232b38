import { checkChunkSize, type AnyCompression, type WimCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import { parseResourceHeader, writeResourceHeader, type ResourceHeader } from "./resource-header.ts";

/** The first 208 bytes of a WIM; of a pipable one the last 208. */
export interface WimHeader<C extends AnyCompression = WimCompression> {
  readonly version: number;
  readonly flags: number;
  readonly compression: C;
  /** Bytes of one chunk when decoded; 0 when nothing is compressed. */
  readonly chunkSize: number;
  readonly guid: Uint8Array;
  /** From 1 to `parts`; both 1 where the WIM is not split. */
  readonly part: number;
  readonly parts: number;
  /** Written front to back into a pipe: the header counts at the end, chunk tables follow their chunks. */
  readonly pipable: boolean;
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

/** Whether the bytes begin like a pipable WIM, whose header is to be read from its last 208 bytes. */
export function isPipable(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, 8) === "WLPWM\0\0\0";
}

/** The header of a WIM whose resources can be addressed in one file: refuses pipable, split and LZMS ones, naming the way out. */
export function parsePlainHeader(bytes: Buffer): WimHeader {
  if (isPipable(bytes)) throw new WimError("PRESTAGE_WIM_PIPABLE", `This is a pipable WIM. ${convert}`);
  const header = parseHeader(bytes);
  const { compression, part, parts } = header;
  if (parts > 1) throw new WimError("PRESTAGE_WIM_SPLIT", `This is part ${part} of ${parts} of a split WIM. Join the parts with: wimlib-imagex join OUT.wim PARTS`);
  if (compression === "lzms") throw new WimError("PRESTAGE_WIM_SOLID", `The WIM is compressed with LZMS. ${convert}`);
  return { ...header, compression };
}

/** Parses and checks a header of any form. Throws WimError for anything this package cannot read. */
export function parseHeader(bytes: Buffer): WimHeader<AnyCompression> {
  const pipable = isPipable(bytes);
  if (!pipable && bytes.toString("latin1", 0, 8) !== "MSWIM\0\0\0") throw new WimError("PRESTAGE_WIM_NOT_A_WIM", "The file does not begin with MSWIM: it is not a WIM. Check that the right file was given.");
  expectField("header size", bytes.readUInt32LE(8), [headerSize]);
  const version = bytes.readUInt32LE(12);
  expectField("version", version, [0x10d00, 0xe00]);
  const flags = bytes.readUInt32LE(16);
  if ((flags & headerFlags.beingWritten) !== 0) throw new WimError("PRESTAGE_WIM_UNFINISHED", "The WIM is marked as being written: its writer was cut off. Build or fetch it again.");
  const compression = parseCompression(flags);
  const chunkSize = compression === "none" ? 0 : bytes.readUInt32LE(20);
  checkChunkSize(compression, chunkSize);
  const part = bytes.readUInt16LE(40);
  const parts = bytes.readUInt16LE(42);
  if (part === 0 || part > parts) throw badHeader("part number", part, `1 to ${parts}`);
  const imageCount = bytes.readUInt32LE(44);
  const bootIndex = bytes.readUInt32LE(120);
  if (imageCount > 65535) throw badHeader("image count", imageCount, "at most 65535");
  if (bootIndex > imageCount) throw badHeader("boot index", bootIndex, `at most ${imageCount}`);
  return {
    version, flags, compression, chunkSize, imageCount, bootIndex, part, parts, pipable,
    guid: Uint8Array.from(bytes.subarray(24, 40)),
    blobTable: parseResourceHeader(bytes, 48),
    xml: parseResourceHeader(bytes, 72),
    bootMetadata: parseResourceHeader(bytes, 96),
    integrity: parseResourceHeader(bytes, 124),
  };
}

/** The 208 bytes of a header; `beingWritten` marks a file whose writing has not ended. */
export function serializeHeader(header: WimHeader<AnyCompression>): Buffer {
  const bytes = Buffer.alloc(headerSize);
  bytes.write("MSWIM\0\0\0", 0, "latin1");
  bytes.writeUInt32LE(headerSize, 8);
  bytes.writeUInt32LE(header.version, 12);
  bytes.writeUInt32LE(header.flags, 16);
  bytes.writeUInt32LE(header.chunkSize, 20);
  bytes.set(header.guid.subarray(0, 16), 24);
  bytes.writeUInt16LE(header.part, 40);
  bytes.writeUInt16LE(header.parts, 42);
  bytes.writeUInt32LE(header.imageCount, 44);
  writeResourceHeader(bytes, 48, header.blobTable);
  writeResourceHeader(bytes, 72, header.xml);
  writeResourceHeader(bytes, 96, header.bootMetadata);
  bytes.writeUInt32LE(header.bootIndex, 120);
  writeResourceHeader(bytes, 124, header.integrity);
  return bytes;
}

/** The header flags that name a compression. */
export function compressionFlags(compression: AnyCompression): number {
  return compression === "none" ? 0 : headerFlags.compressed | headerFlags[compression];
}

/** Exactly one method, or none. */
function parseCompression(flags: number): AnyCompression {
  if ((flags & headerFlags.compressed) === 0) return "none";
  const methods = flags & (headerFlags.xpress | headerFlags.lzx | headerFlags.lzms | headerFlags.oldXpress);
  if (methods === headerFlags.lzms) return "lzms";
  if (methods === headerFlags.lzx) return "lzx";
  if (methods === headerFlags.xpress || methods === headerFlags.oldXpress) return "xpress";
  throw badHeader("compression flags", methods, "exactly one method");
}

function expectField(name: string, found: number, expected: number[]): void {
  if (!expected.includes(found)) throw badHeader(name, found, expected.join(" or "));
}

function badHeader(name: string, found: number, expected: string): WimError {
  return new WimError("PRESTAGE_WIM_HEADER", `The header's ${name} is ${found}, expected ${expected}. The file is damaged; get it again from its source.`);
}
