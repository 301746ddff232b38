import { WimError } from "./error.ts";

/** A Buffer over the same memory: its reads are bounds-checked and throw RangeError. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An unsigned 64-bit little-endian number; above 2^53 the file is refused, as no offset or size can be that large. */
export function readU64(bytes: Buffer, offset: number): number {
  return joinU64(bytes.readUInt32LE(offset + 4), bytes.readUInt32LE(offset));
}

/** The 7-byte size that shares a 64-bit word with the flags of a resource header. */
export function readU56(bytes: Buffer, offset: number): number {
  return joinU64(bytes.readUIntLE(offset + 4, 3), bytes.readUInt32LE(offset));
}

function joinU64(high: number, low: number): number {
  if (high >= 2 ** 21) {
    throw new WimError("PRESTAGE_WIM_LIMIT", "A 64-bit number above 2^53 was found where a size or offset is expected. The file is damaged or hostile.");
  }
  return high * 2 ** 32 + low;
}

export function writeU64(bytes: Buffer, offset: number, value: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, offset);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}

/** UTF-16LE as it stands: lone surrogates stay. */
export function readUtf16(bytes: Buffer, offset: number, length: number): string {
  if (offset + length > bytes.length) throw new RangeError("text past the end");
  return bytes.toString("utf16le", offset, offset + length);
}

export function align8(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

const zeroHash = Buffer.alloc(20);

/** SHA-1 at `offset` as lower-case hex; undefined for the zero hash, which stands for "no data". */
export function readSha1(bytes: Buffer, offset: number): string | undefined {
  const sha1 = bytes.subarray(offset, offset + 20);
  if (sha1.length !== 20) throw new RangeError("hash past the end");
  return sha1.equals(zeroHash) ? undefined : sha1.toString("hex");
}
