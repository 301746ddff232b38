import type { ChunkTable } from "./chunk-table.ts";
import { asBuffer, readU64 } from "./bytes.ts";
import { checkChunkSize, type AnyCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import { checkLimit, type WimLimits } from "./limits.ts";
import type { ResourceHeader } from "./resource-header.ts";
import { checkRange } from "./source.ts";
import type { SolidResource, SolidRun, Volume } from "./volume.ts";

const headSize = 16;
const methods: readonly (AnyCompression | undefined)[] = ["none", "xpress", "lzx", "lzms"];

/** Reads the head of each resource: `u64 size | u32 chunk size | u32 method`. Throws PRESTAGE_WIM_RESOURCE. */
export async function openSolidRun(volume: Volume, places: readonly ResourceHeader[], limits: WimLimits): Promise<SolidRun> {
  const resources: SolidResource[] = [];
  let size = 0;
  for (const { offset, storedSize } of places) {
    checkRange(volume.source.size, offset, storedSize);
    if (storedSize < headSize) throw damaged(offset, `it takes ${storedSize} bytes`);
    const head = asBuffer(await volume.source.read(offset, headSize));
    const resource = { volume, offset, storedSize, size: readU64(head, 0), chunkSize: head.readUInt32LE(8), compression: methods[head.readUInt32LE(12)] };
    const { compression, chunkSize } = resource;
    if (compression === undefined || compression === "none") throw damaged(offset, `its method is ${head.readUInt32LE(12)}`);
    checkChunkSize(compression, chunkSize);
    checkLimit("Bytes of one chunk", chunkSize, limits.chunkBytes);
    const count = Math.ceil(resource.size / chunkSize);
    checkLimit("Chunks of one resource", count, limits.chunks);
    if (headSize + 5 * count > storedSize) throw damaged(offset, `${count} chunks do not fit into ${storedSize} bytes`);
    resources.push({ ...resource, compression });
    size += resource.size;
  }
  if (!Number.isSafeInteger(size)) throw damaged(places[0]?.offset ?? 0, "its size is out of range");
  return { resources, size };
}

/** Behind the head: one u32 size for each chunk, then the chunks. Throws PRESTAGE_WIM_RESOURCE. */
export async function readSolidTable(resource: SolidResource): Promise<ChunkTable> {
  const { chunkSize, volume: { source } } = resource;
  const count = Math.ceil(resource.size / chunkSize);
  const table = asBuffer(await source.read(resource.offset + headSize, 4 * count));
  const offsets: number[] = [];
  const sizes: number[] = [];
  let at = resource.offset + headSize + 4 * count;
  for (let i = 0; i < count; i++) {
    const size = table.readUInt32LE(4 * i);
    const most = Math.min(chunkSize, resource.size - i * chunkSize);
    if (size < 1 || size > most || at + size > resource.offset + resource.storedSize) throw damaged(resource.offset, `chunk ${i} takes ${size} bytes, expected 1 to ${most}, inside the resource`);
    offsets.push(at);
    sizes.push(size);
    at += size;
  }
  return { chunkSize, offsets, sizes };
}

function damaged(offset: number, why: string): WimError {
  return new WimError("PRESTAGE_WIM_RESOURCE", `The solid resource at byte ${offset} is damaged: ${why}. Get the file again from its source.`);
}
