import { asBuffer, readU64 } from "./bytes.ts";
import { WimError } from "./error.ts";
import { checkLimit, type WimLimits } from "./limits.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { checkRange } from "./source.ts";
import type { Volume } from "./volume.ts";

/** Where each chunk of a resource lies in the file. A chunk as long as its output is stored raw. */
export interface ChunkTable {
  /** Bytes of one chunk when decoded (the last may be shorter). */
  readonly chunkSize: number;
  /** Absolute offset in the file of every chunk. */
  readonly offsets: number[];
  /** Stored sizes. */
  readonly sizes: number[];
}

/** The size before each chunk of a pipable WIM. */
const pipedHeadSize = 4;

/**
 * Reads the chunk table: n-1 offsets counted from the table's end, u32 while the decoded size fits into 32 bits, else
 * u64. An uncompressed resource has one chunk, an empty one none. In a pipable WIM the table comes last, each chunk follows
 * its size as u32, and the offsets do not count those. Throws PRESTAGE_WIM_RESOURCE.
 */
export async function readChunkTable(volume: Volume, resource: ResourceHeader, limits: WimLimits): Promise<ChunkTable> {
  const { source, chunkSize, pipable } = volume;
  checkRange(source.size, resource.offset, resource.storedSize);
  if ((resource.flags & resourceFlags.compressed) === 0) {
    if (resource.size !== resource.storedSize) throw damaged(resource, `an uncompressed resource of ${resource.size} bytes takes ${resource.storedSize}`);
    return { chunkSize: resource.size, offsets: resource.size === 0 ? [] : [resource.offset], sizes: resource.size === 0 ? [] : [resource.size] };
  }
  if (chunkSize === 0) throw damaged(resource, "it is compressed, and the header names no compression");
  if (resource.size === 0) return { chunkSize, offsets: [], sizes: [] };
  checkLimit("Bytes of one chunk", chunkSize, limits.chunkBytes);
  const count = Math.ceil(resource.size / chunkSize);
  checkLimit("Chunks of one resource", count, limits.chunks);
  const width = resource.size > 0xffffffff ? 8 : 4;
  const tableSize = (count - 1) * width;
  const headSize = pipable ? pipedHeadSize : 0;
  if (tableSize + count * headSize >= resource.storedSize) throw damaged(resource, `its chunk table of ${tableSize} bytes does not fit into ${resource.storedSize}`);
  const table = asBuffer(await source.read(resource.offset + (pipable ? resource.storedSize - tableSize : 0), tableSize));
  const start = resource.offset + (pipable ? 0 : tableSize);
  const end = resource.offset + resource.storedSize - (pipable ? tableSize + count * headSize : 0);
  const offsets = [start];
  for (let i = 0; i < count - 1; i++) offsets.push(start + (width === 4 ? table.readUInt32LE(i * 4) : readU64(table, i * 8)));
  const sizes = chunkSizes(resource, offsets, end, chunkSize);
  return { chunkSize, offsets: pipable ? offsets.map((offset, i) => offset + (i + 1) * headSize) : offsets, sizes };
}

/** Each chunk must lie inside the resource, after the one before, and be no longer than its output. */
function chunkSizes(resource: ResourceHeader, offsets: number[], end: number, chunkSize: number): number[] {
  return offsets.map((offset, i) => {
    const size = (offsets[i + 1] ?? end) - offset;
    const most = i === offsets.length - 1 ? resource.size - i * chunkSize : chunkSize;
    if (size < 1 || size > most) throw damaged(resource, `chunk ${i} takes ${size} bytes, expected 1 to ${most}`);
    return size;
  });
}

function damaged(resource: ResourceHeader, why: string): WimError {
  return new WimError("PRESTAGE_WIM_RESOURCE", `The resource at byte ${resource.offset} is damaged: ${why}. Get the file again from its source.`);
}
