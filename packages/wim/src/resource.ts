import type { ChunkTable } from "./chunk-table.ts";
import { decodeChunks, type ReadOptions } from "./decode-chunks.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { decodeSolidRange, type SolidChunks } from "./solid-read.ts";
import { checkRange } from "./source.ts";
import type { Volume } from "./volume.ts";

/** Bytes read, decoded and handed on at a time. */
const batchBytes = 2 ** 20;

/** What decoding a resource takes, besides the resource. */
export interface ResourceReader {
  /** Where resources without a place of their own lie. */
  readonly volume: Volume;
  readonly solidChunks?: SolidChunks;
  chunkTable(resource: ResourceHeader): Promise<ChunkTable>;
}

/** The decoded bytes [from, to) of a resource, in pieces of about 1 MiB (at least one chunk). */
export async function* decodeRange(reader: ResourceReader, resource: ResourceHeader, from: number, to: number, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
  checkRange(resource.size, from, to - from);
  if (from === to) return;
  const volume = resource.place?.volume ?? reader.volume;
  const run = resource.place?.solid;
  if (run !== undefined && reader.solidChunks !== undefined) {
    yield* decodeSolidRange(run, reader.solidChunks, resource.offset + from, resource.offset + to, options);
    return;
  }
  const table = await reader.chunkTable(resource);
  if ((resource.flags & resourceFlags.compressed) === 0) {
    for (let at = from; at < to; at += batchBytes) {
      options.signal?.throwIfAborted();
      yield await volume.source.read(resource.offset + at, Math.min(batchBytes, to - at));
    }
    return;
  }
  const perBatch = Math.max(1, Math.floor(batchBytes / table.chunkSize));
  const last = Math.ceil(to / table.chunkSize);
  for (let first = Math.floor(from / table.chunkSize); first < last; first += perBatch) {
    options.signal?.throwIfAborted();
    const end = Math.min(last, first + perBatch);
    const base = first * table.chunkSize;
    const bytes = await decodeChunks({ source: volume.source, compression: volume.compression, resource, table }, first, end);
    yield bytes.subarray(Math.max(0, from - base), Math.min(bytes.length, to - base));
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
