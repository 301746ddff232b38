import type { ChunkTable } from "./chunk-table.ts";
import { decodeChunks, type ReadOptions } from "./decode-chunks.ts";
import { readSolidTable } from "./solid.ts";
import { checkRange } from "./source.ts";
import type { SolidResource, SolidRun } from "./volume.ts";

/** Decoded chunks of solid resources. The last one is kept, as neighbouring blobs mostly lie in one: memory stays that of one chunk. */
export class SolidChunks {
  private readonly tables = new Map<SolidResource, Promise<ChunkTable>>();
  private last: { readonly resource: SolidResource; readonly index: number; readonly bytes: Promise<Uint8Array> } | undefined;

  async chunk(resource: SolidResource, index: number): Promise<Uint8Array> {
    if (this.last?.resource !== resource || this.last.index !== index) {
      const bytes = this.decode(resource, index);
      this.last = { resource, index, bytes };
      bytes.catch(() => (this.last = undefined));
    }
    return await this.last.bytes;
  }

  private async decode(resource: SolidResource, index: number): Promise<Uint8Array> {
    const table = await this.table(resource);
    return await decodeChunks({ source: resource.volume.source, compression: resource.compression, resource, table }, index, index + 1);
  }

  private async table(resource: SolidResource): Promise<ChunkTable> {
    let table = this.tables.get(resource);
    if (table === undefined) {
      table = readSolidTable(resource);
      this.tables.set(resource, table);
      table.catch(() => this.tables.delete(resource));
    }
    return await table;
  }
}

/** The bytes [from, to) of what a run decodes to, one piece for each chunk touched. */
export async function* decodeSolidRange(run: SolidRun, chunks: SolidChunks, from: number, to: number, options: ReadOptions): AsyncGenerator<Uint8Array> {
  checkRange(run.size, from, to - from);
  let start = 0;
  for (const resource of run.resources) {
    const end = start + resource.size;
    for (let at = Math.max(from, start); at < Math.min(to, end); ) {
      options.signal?.throwIfAborted();
      const index = Math.floor((at - start) / resource.chunkSize);
      const base = start + index * resource.chunkSize;
      const bytes = await chunks.chunk(resource, index);
      const piece = bytes.subarray(at - base, Math.min(to - base, bytes.length));
      yield piece;
      at += piece.length;
    }
    start = end;
  }
}
