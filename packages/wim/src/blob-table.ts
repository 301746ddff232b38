import { readSha1, asBuffer } from "./bytes.ts";
import { WimError } from "./error.ts";
import { headerSize } from "./header.ts";
import { parseResourceHeader, resourceFlags, writeResourceHeader, type ResourceHeader } from "./resource-header.ts";
import { checkRange } from "./source.ts";

/** A byte string of the WIM, known by its SHA-1. */
export interface BlobEntry {
  readonly resource: ResourceHeader;
  readonly referenceCount: number;
  /** 40 lower-case hex digits. */
  readonly sha1: string;
}

/** A run of solid entries: its resources, and its blobs, whose `offset` counts from the start of what they decode to. */
export interface SolidEntries {
  readonly resources: ResourceHeader[];
  readonly blobs: BlobEntry[];
}

export interface BlobTable {
  readonly blobs: Map<string, BlobEntry>;
  /** The metadata resource of each image, in image order. */
  readonly metadata: BlobEntry[];
  readonly solid: SolidEntries[];
}

export interface BlobTableOptions {
  /** Part of a split set the table belongs to; entries of other parts are ignored. 1 by default. */
  readonly part?: number;
  /** By default solid entries are refused: they cannot be addressed chunk by chunk. */
  readonly solid?: boolean;
}

export const blobEntrySize = 50;
/** Given as the size of an entry that describes a solid resource. */
const solidMark = 2 ** 32;

/**
 * Parses `resource header 24 | u16 part | u32 references | SHA-1 20` entries. Image N is the N-th metadata entry. Ignored,
 * as readers do: zero hash, size 0, a hash seen before, another part. Throws PRESTAGE_WIM_BLOB_TABLE.
 */
export function parseBlobTable(table: Uint8Array, fileSize: number, options: BlobTableOptions = {}): BlobTable {
  const bytes = asBuffer(table);
  const blobs = new Map<string, BlobEntry>();
  const metadata: BlobEntry[] = [];
  const solid: SolidEntries[] = [];
  let run: SolidEntries | undefined;
  for (let at = 0; at + blobEntrySize <= bytes.length; at += blobEntrySize) {
    const resource = parseResourceHeader(bytes, at);
    const part = bytes.readUInt16LE(at + 24);
    const referenceCount = bytes.readUInt32LE(at + 26);
    const sha1 = readSha1(bytes, at + 30);
    if ((resource.flags & resourceFlags.solid) !== 0) {
      if (options.solid !== true) throw new WimError("PRESTAGE_WIM_SOLID", "The WIM holds solid resources. Convert it with: wimlib-imagex export IN all OUT.wim --compress=LZX:20 --check");
      if ((resource.flags & resourceFlags.metadata) !== 0) throw damaged("metadata lies in a solid resource");
      if (run === undefined) solid.push((run = { resources: [], blobs: [] }));
      if (resource.size === solidMark) run.resources.push(resource);
      else if (sha1 !== undefined && resource.storedSize !== 0 && part === (options.part ?? 1)) {
        run.blobs.push({ resource: { ...resource, size: resource.storedSize }, referenceCount, sha1 });
      }
      continue;
    }
    run = undefined;
    if (sha1 === undefined || resource.size === 0 || part !== (options.part ?? 1)) continue;
    checkResource(resource, fileSize);
    if ((resource.flags & resourceFlags.metadata) !== 0) {
      if (referenceCount === 0) continue;
      if (referenceCount !== 1) throw damaged(`metadata ${sha1} has ${referenceCount} references, expected 1`);
      metadata.push({ resource, referenceCount, sha1 });
    } else if (!blobs.has(sha1)) blobs.set(sha1, { resource, referenceCount, sha1 });
  }
  const places = solid.flatMap(({ resources }) => resources.map((resource) => ({ resource, referenceCount: 1, sha1: "of a solid resource" })));
  refuseOverlaps([...blobs.values(), ...metadata, ...places]);
  for (const { blobs: inside } of solid) refuseOverlaps([...inside]);
  return { blobs, metadata, solid };
}

/** The entries of a table, as part `part` of a split set. */
export function serializeBlobTable(entries: readonly BlobEntry[], part = 1): Buffer {
  const bytes = Buffer.alloc(entries.length * blobEntrySize);
  for (const [i, { resource, referenceCount, sha1 }] of entries.entries()) {
    const at = i * blobEntrySize;
    writeResourceHeader(bytes, at, resource);
    bytes.writeUInt16LE(part, at + 24);
    bytes.writeUInt32LE(referenceCount, at + 26);
    bytes.write(sha1, at + 30, "hex");
  }
  return bytes;
}

/** Inside the file, behind the header, stored in some bytes, and of one size where nothing is compressed. The caller has passed over those that decode to nothing. */
function checkResource(resource: ResourceHeader, fileSize: number): void {
  checkRange(fileSize, resource.offset, resource.storedSize);
  if (resource.offset < headerSize) throw damaged(`a resource lies over the header, at byte ${resource.offset}`);
  // Stored in no bytes it would lie over no other, and could be told to be at another's.
  if (resource.storedSize === 0) throw damaged(`the resource at byte ${resource.offset} is stored in no bytes, and is to decode to ${resource.size}`);
  if ((resource.flags & resourceFlags.compressed) === 0 && resource.storedSize !== resource.size) {
    throw damaged(`an uncompressed resource of ${resource.size} bytes takes ${resource.storedSize}`);
  }
}

/** Two different blobs on the same bytes multiply what a small file can decode to. */
function refuseOverlaps(entries: BlobEntry[]): void {
  entries.sort((a, b) => a.resource.offset - b.resource.offset);
  let end = 0;
  for (const { resource, sha1 } of entries) {
    if (resource.offset < end) throw damaged(`blob ${sha1} at byte ${resource.offset} lies over another that ends at ${end}`);
    end = resource.offset + resource.storedSize;
  }
}

export function damaged(why: string): WimError {
  return new WimError("PRESTAGE_WIM_BLOB_TABLE", `The blob table is damaged: ${why}. Get the file again from its source.`);
}
