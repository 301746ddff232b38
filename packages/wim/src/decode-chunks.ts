import type { ChunkTable } from "./chunk-table.ts";
import type { AnyCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import { decodeLzms } from "./lzms.ts";
import { decodeLzx } from "./lzx.ts";
import type { RandomAccessSource } from "./source.ts";
import { decodeXpress } from "./xpress.ts";

export interface ReadOptions {
  readonly signal?: AbortSignal;
}

/** Chunks with their table, of an ordinary or a solid resource. */
export interface ChunkedResource {
  readonly source: RandomAccessSource;
  readonly compression: AnyCompression;
  readonly resource: { readonly offset: number; readonly size: number };
  readonly table: ChunkTable;
}

/** Reads the stored bytes of chunks [first, end) at once and decodes each. */
export async function decodeChunks({ source, compression, resource, table }: ChunkedResource, first: number, end: number): Promise<Uint8Array> {
  const { chunkSize, offsets, sizes } = table;
  const base = offsets[first]!;
  const stored = await source.read(base, offsets[end - 1]! + sizes[end - 1]! - base);
  const output = new Uint8Array(Math.min(end * chunkSize, resource.size) - first * chunkSize);
  for (let chunk = first; chunk < end; chunk++) {
    const at = offsets[chunk]! - base;
    const input = stored.subarray(at, at + sizes[chunk]!);
    const target = output.subarray((chunk - first) * chunkSize, (chunk - first + 1) * chunkSize);
    if (input.length === target.length) target.set(input);
    else if (!decodeChunk(compression, input, target, chunkSize)) {
      throw new WimError("PRESTAGE_WIM_DECOMPRESS", `Chunk ${chunk} of the resource at byte ${resource.offset} cannot be decoded: the file is damaged. Get it again from its source.`);
    }
  }
  return output;
}

function decodeChunk(compression: AnyCompression, input: Uint8Array, output: Uint8Array, chunkSize: number): boolean {
  switch (compression) {
    case "lzx": return decodeLzx(input, output, chunkSize);
    case "xpress": return decodeXpress(input, output);
    case "lzms": return decodeLzms(input, output);
    case "none": return false;
  }
}
