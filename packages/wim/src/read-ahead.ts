import { createHash } from "node:crypto";
import type { BlobEntry } from "./blob-table.ts";
import { readChunkTable } from "./chunk-table.ts";
import { wrongHash } from "./entry-data.ts";
import { decodeRange, joinPieces, type ResourceReader } from "./resource.ts";
import type { RandomAccessSource } from "./source.ts";
import type { Volume } from "./volume.ts";
import type { AnyWim } from "./wim-file.ts";

/** Bytes read at once. */
const windowSize = 2 ** 20;

/**
 * Reads small blobs in the order they are stored: hundreds of them by one read of the file. A read for each takes longer than decoding it and making its file.
 */
export class SmallBlobReader {
  private readonly wim: AnyWim;
  private readonly readers = new Map<Volume, ResourceReader>();

  constructor(wim: AnyWim) {
    this.wim = wim;
  }

  /** The bytes of a blob, its SHA-1 checked. Throws what `readBlob` throws. */
  async read({ sha1, resource }: Pick<BlobEntry, "sha1" | "resource">): Promise<Uint8Array> {
    const reader = resource.place?.solid === undefined ? this.readerOf(resource.place?.volume ?? this.wim.volume) : this.wim;
    const { place: _place, ...here } = resource;
    const bytes = await joinPieces(decodeRange(reader, reader === this.wim ? resource : here, 0, resource.size), resource.size);
    const found = createHash("sha1").update(bytes).digest("hex");
    if (found !== sha1) throw wrongHash(resource.offset, found, sha1);
    return bytes;
  }

  private readerOf(volume: Volume): ResourceReader {
    const known = this.readers.get(volume);
    if (known !== undefined) return known;
    const ahead: Volume = { ...volume, source: readAhead(volume.source) };
    const reader: ResourceReader = { volume: ahead, chunkTable: async (resource) => await readChunkTable(ahead, resource, this.wim.limits) };
    this.readers.set(volume, reader);
    return reader;
  }
}

/** The same bytes, a window at a time: whoever reads front to back makes one call of many. What it returns is valid until the next read. */
function readAhead(source: RandomAccessSource): RandomAccessSource {
  let start = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  return {
    size: source.size,
    read: async (offset, length) => {
      if (length >= windowSize) return await source.read(offset, length);
      if (offset < start || offset + length > start + bytes.length) {
        bytes = await source.read(offset, Math.max(length, Math.min(windowSize, source.size - offset)));
        start = offset;
      }
      return bytes.subarray(offset - start, offset - start + length);
    },
    close: async () => {},
  };
}
