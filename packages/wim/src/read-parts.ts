import { damaged, parseBlobTable, type BlobEntry } from "./blob-table.ts";
import { asBuffer } from "./bytes.ts";
import { readChunkTable } from "./chunk-table.ts";
import type { AnyCompression, WimCompression } from "./compression.ts";
import { guarded, WimError } from "./error.ts";
import { headerSize, isPipable, parseHeader, parsePlainHeader, type WimHeader } from "./header.ts";
import { integrityEnd, parseIntegrityTable, type IntegrityTable } from "./integrity.ts";
import { checkLimit, type WimLimits } from "./limits.ts";
import { decodeRange, joinPieces, type ResourceReader } from "./resource.ts";
import type { ResourceHeader } from "./resource-header.ts";
import { openSolidRun } from "./solid.ts";
import type { RandomAccessSource } from "./source.ts";
import type { Volume } from "./volume.ts";
import { parseWimXml, type WimXml } from "./xml.ts";

/** One file of a WIM: all of it, or one part of a split set. */
export interface WimPart<C extends AnyCompression = AnyCompression> {
  readonly header: WimHeader<C>;
  readonly source: RandomAccessSource;
  readonly volume: Volume;
  readonly integrity: IntegrityTable | undefined;
  readonly xml: WimXml;
  readonly contents: { readonly blobs: Map<string, BlobEntry>; readonly metadata: BlobEntry[] };
}

/** The only file of a WIM whose resources can be addressed chunk by chunk. */
export async function readPlainPart(source: RandomAccessSource, limits: WimLimits): Promise<WimPart<WimCompression>> {
  const bytes = await readHeaderBytes(source, 0);
  const header = guarded("PRESTAGE_WIM_HEADER", "The header", () => parsePlainHeader(bytes));
  return await readPart(source, header, limits, false);
}

/** A file of a WIM of any form. Of a pipable one the last 208 bytes are the header that counts. */
export async function readAnyPart(source: RandomAccessSource, limits: WimLimits): Promise<WimPart> {
  let bytes = await readHeaderBytes(source, 0);
  if (isPipable(bytes)) bytes = await readHeaderBytes(source, source.size - headerSize);
  const header = guarded("PRESTAGE_WIM_HEADER", "The header", () => parseHeader(bytes));
  return await readPart(source, header, limits, true);
}

async function readHeaderBytes(source: RandomAccessSource, at: number): Promise<Buffer> {
  if (source.size < headerSize) throw new WimError("PRESTAGE_WIM_NOT_A_WIM", `The file has ${source.size} bytes, less than a WIM header takes.`);
  return asBuffer(await source.read(at, headerSize));
}

async function readPart<C extends AnyCompression>(source: RandomAccessSource, header: WimHeader<C>, limits: WimLimits, solid: boolean): Promise<WimPart<C>> {
  const volume: Volume = { source, compression: header.compression, chunkSize: header.chunkSize, pipable: header.pipable };
  const read = async (resource: ResourceHeader, what: string, limit: number): Promise<Uint8Array> => {
    checkLimit(what, Math.max(resource.size, resource.storedSize), limit);
    const table = await readChunkTable(volume, resource, limits);
    const reader: ResourceReader = { volume, chunkTable: async () => table };
    return await joinPieces(decodeRange(reader, resource, 0, resource.size), resource.size);
  };
  const table = await read(header.blobTable, "Bytes of the blob table", limits.blobTableBytes);
  const entries = guarded("PRESTAGE_WIM_BLOB_TABLE", "The blob table", () => parseBlobTable(table, source.size, { part: header.part, solid }));
  const expected = header.part === 1 ? header.imageCount : 0;
  if (entries.metadata.length !== expected) {
    throw new WimError("PRESTAGE_WIM_BLOB_TABLE", `The blob table has the metadata of ${entries.metadata.length} images, the header counts ${expected}. The file is damaged; get it again from its source.`);
  }
  const contents = solid ? await placeBlobs(volume, entries, limits) : { blobs: entries.blobs, metadata: entries.metadata };
  const text = await read(header.xml, "Bytes of XML", limits.xmlBytes);
  const xml = guarded("PRESTAGE_WIM_XML", "The XML description", () => parseWimXml(text, header.imageCount));
  if (header.integrity.size === 0) return { header, source, volume, contents, xml, integrity: undefined };
  const digests = await read(header.integrity, "Bytes of the integrity table", limits.blobTableBytes);
  const integrity = guarded("PRESTAGE_WIM_INTEGRITY_TABLE", "The integrity table", () => parseIntegrityTable(digests, integrityEnd({ header })));
  return { header, source, volume, contents, xml, integrity };
}

/** Gives every resource its place, so that it can be read without knowing which file it came from. */
async function placeBlobs(volume: Volume, entries: ReturnType<typeof parseBlobTable>, limits: WimLimits): Promise<WimPart["contents"]> {
  const place = { volume };
  const placed = (entry: BlobEntry): BlobEntry => ({ ...entry, resource: { ...entry.resource, place } });
  const blobs = new Map([...entries.blobs].map(([sha1, entry]) => [sha1, placed(entry)]));
  for (const run of entries.solid) {
    const solid = await openSolidRun(volume, run.resources, limits);
    for (const entry of run.blobs) {
      const { offset, size } = entry.resource;
      if (offset > solid.size - size) throw damaged(`blob ${entry.sha1} reaches byte ${offset + size} of ${solid.size} in a solid resource`);
      if (!blobs.has(entry.sha1)) blobs.set(entry.sha1, { ...entry, resource: { ...entry.resource, place: { volume, solid } } });
    }
  }
  return { blobs, metadata: entries.metadata.map(placed) };
}
