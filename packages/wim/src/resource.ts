import type { ChunkTable } from "./chunk-table.ts";
import { WimError } from "./error.ts";
import type { WimCompression } from "./header.ts";
import { decodeLzx } from "./lzx.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { checkRange, type RandomAccessSource } from "./source.ts";
import { decodeXpress } from "./xpress.ts";

/** Bytes read, decoded and handed on at a time. */
const batchBytes = 2 ** 20;

export interface ReadOptions {
  readonly signal?: AbortSignal;
}

/** What decoding a resource takes, besides the resource. */
export interface ResourceReader {
  readonly source: RandomAccessSource;
  readonly compression: WimCompression;
  chunkTable(resource: ResourceHeader): Promise<ChunkTable>;
}

/** The decoded bytes [from, to) of a resource, in pieces of about 1 MiB (at least one chunk). */
export async function* decodeRange(reader: ResourceReader, resource: ResourceHeader, from: number, to: number, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
  checkRange(resource.size, from, to - from);
  if (from === to) return;
  const table = await reader.chunkTable(resource);
  if ((resource.flags & resourceFlags.compressed) === 0) {
    for (let at = from; at < to; at += batchBytes) {
      options.signal?.throwIfAborted();
      yield await reader.source.read(resource.offset + at, Math.min(batchBytes, to - at));
    }
    return;
  }
  const perBatch = Math.max(1, Math.floor(batchBytes / table.chunkSize));
  const last = Math.ceil(to / table.chunkSize);
  for (let first = Math.floor(from / table.chunkSize); first < last; first += perBatch) {
    options.signal?.throwIfAborted();
    const end = Math.min(last, first + perBatch);
    const base = first * table.chunkSize;
    const bytes = await decodeChunks(reader, resource, table, first, end);
    yield bytes.subarray(Math.max(0, from - base), Math.min(bytes.length, to - base));
  }
}

/** Reads the stored bytes of chunks [first, end) at once and decodes each. */
async function decodeChunks(reader: ResourceReader, resource: ResourceHeader, table: ChunkTable, first: number, end: number): Promise<Uint8Array> {
  const { chunkSize, offsets, sizes } = table;
  const base = offsets[first]!;
  const stored = await reader.source.read(base, offsets[end - 1]! + sizes[end - 1]! - base);
  const output = new Uint8Array(Math.min(end * chunkSize, resource.size) - first * chunkSize);
  for (let chunk = first; chunk < end; chunk++) {
    const at = offsets[chunk]! - base;
    const input = stored.subarray(at, at + sizes[chunk]!);
    const target = output.subarray((chunk - first) * chunkSize, (chunk - first + 1) * chunkSize);
    if (input.length === target.length) target.set(input);
    else if (!decodeChunk(reader.compression, input, target, chunkSize)) {
      throw new WimError("PRESTAGE_WIM_DECOMPRESS", `Chunk ${chunk} of the resource at byte ${resource.offset} cannot be decoded: the file is damaged. Get it again from its source.`);
    }
  }
  return output;
}

function decodeChunk(compression: WimCompression, input: Uint8Array, output: Uint8Array, chunkSize: number): boolean {
  switch (compression) {
    case "lzx": return decodeLzx(input, output, chunkSize);
    case "xpress": return decodeXpress(input, output);
    case "none": return false;
  }
}

/** All pieces joined; the caller has bounded `length`. */
export async function joinPieces(pieces: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const joined = new Uint8Array(length);
  let position = 0;
  for await (const piece of pieces) {
    joined.set(piece, position);
    position += piece.length;
  }
  return joined;
}
