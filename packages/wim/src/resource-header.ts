import type { ResourcePlace } from "./volume.ts";
import { readU56, readU64, writeU64 } from "./bytes.ts";

/** Where a byte string is stored (WIM resource header, 24 bytes). Sizes and offset in bytes. */
export interface ResourceHeader {
  readonly storedSize: number;
  readonly flags: number;
  readonly offset: number;
  /** Size when decoded. */
  readonly size: number;
  /** Where it lies when that is not simply the WIM's own file: another part, a reference, a solid or pipable resource. */
  readonly place?: ResourcePlace;
}

export const resourceFlags = { free: 1, metadata: 2, compressed: 4, spanned: 8, solid: 0x10 } as const;

export const resourceHeaderSize = 24;

/** `u56 stored size | u8 flags | u64 offset | u64 size`, little-endian. */
export function parseResourceHeader(bytes: Buffer, offset: number): ResourceHeader {
  return {
    storedSize: readU56(bytes, offset),
    flags: bytes.readUInt8(offset + 7),
    offset: readU64(bytes, offset + 8),
    size: readU64(bytes, offset + 16),
  };
}

export function writeResourceHeader(bytes: Buffer, offset: number, resource: ResourceHeader): void {
  writeU64(bytes, offset, resource.storedSize);
  bytes.writeUInt8(resource.flags, offset + 7);
  writeU64(bytes, offset + 8, resource.offset);
  writeU64(bytes, offset + 16, resource.size);
}

export const noResource: ResourceHeader = { storedSize: 0, flags: 0, offset: 0, size: 0 };

/** Whether both say the same of the bytes they are stored in and of what those decode to. */
export function isSameResource(a: ResourceHeader, b: ResourceHeader): boolean {
  return a.offset === b.offset && a.storedSize === b.storedSize && a.size === b.size && a.flags === b.flags && a.place?.volume === b.place?.volume;
}
