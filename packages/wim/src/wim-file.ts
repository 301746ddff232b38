import { createHash } from "node:crypto";
import { parseBlobTable, type BlobEntry, type BlobTable } from "./blob-table.ts";
import { asBuffer } from "./bytes.ts";
import { readChunkTable, type ChunkTable } from "./chunk-table.ts";
import { guarded, WimError } from "./error.ts";
import { headerSize, parseHeader, type WimCompression, type WimHeader } from "./header.ts";
import { integrityEnd, parseIntegrityTable, type IntegrityTable } from "./integrity.ts";
import { checkLimit, defaultWimLimits, type WimLimits } from "./limits.ts";
import { parseMetadata, type WimImage } from "./metadata.ts";
import { decodeRange, joinPieces, type ReadOptions, type ResourceReader } from "./resource.ts";
import type { ResourceHeader } from "./resource-header.ts";
import { checkRange, openFileSource, type RandomAccessSource } from "./source.ts";
import { parseWimXml, type WimXml } from "./xml.ts";

export interface OpenWimOptions {
  readonly limits?: Partial<WimLimits>;
}

/** Opens a WIM: header, blob table, XML and integrity table are read and checked. The source is closed by `close()`, or on failure. */
export async function openWim(source: RandomAccessSource, options: OpenWimOptions = {}): Promise<WimFile> {
  return await openAt(source, undefined, options);
}

/** Opens a WIM file; its path is kept, for copying ranges. */
export async function openWimFile(path: string, options: OpenWimOptions = {}): Promise<WimFile> {
  return await openAt(await openFileSource(path), path, options);
}

interface WimParts extends BlobTable {
  readonly header: WimHeader;
  readonly xml: WimXml;
  readonly integrity: IntegrityTable | undefined;
}

/** An open WIM. Every method throws WimError for a damaged or hostile file. */
export class WimFile implements ResourceReader {
  readonly path: string | undefined;
  readonly source: RandomAccessSource;
  readonly header: WimHeader;
  readonly xml: WimXml;
  /** Key: SHA-1 as 40 lower-case hex digits. Metadata is not among them. */
  readonly blobs: ReadonlyMap<string, BlobEntry>;
  readonly integrity: IntegrityTable | undefined;
  private readonly metadata: readonly BlobEntry[];
  private readonly limits: WimLimits;
  private lastTable: { readonly offset: number; readonly size: number; readonly table: Promise<ChunkTable> } | undefined;

  constructor(source: RandomAccessSource, path: string | undefined, parts: WimParts, limits: WimLimits) {
    this.source = source;
    this.path = path;
    this.header = parts.header;
    this.xml = parts.xml;
    this.blobs = parts.blobs;
    this.integrity = parts.integrity;
    this.metadata = parts.metadata;
    this.limits = limits;
  }

  get imageCount(): number {
    return this.metadata.length;
  }

  get compression(): WimCompression {
    return this.header.compression;
  }

  /** The metadata resource of an image, from 1. */
  imageMetadata(index: number): BlobEntry {
    const entry = this.metadata[index - 1];
    if (entry === undefined) throw new WimError("PRESTAGE_WIM_NO_IMAGE", `Image ${index} was asked for, the WIM has ${this.imageCount}.`);
    return entry;
  }

  /** The tree of an image, from 1. Its hash is checked before anything is parsed. */
  async readImage(index: number): Promise<WimImage> {
    const { resource, sha1 } = this.imageMetadata(index);
    checkLimit("Bytes of metadata", resource.size, Math.min(this.limits.metadataBytes, this.limits.metadataRatio * this.source.size));
    const bytes = await this.readResourceRange(resource, 0, resource.size);
    const found = createHash("sha1").update(bytes).digest("hex");
    if (found !== sha1) throw new WimError("PRESTAGE_WIM_METADATA", `The directory tree of image ${index} has SHA-1 ${found}, expected ${sha1}. The file is damaged; get it again from its source.`);
    return parseMetadata(bytes, this.limits);
  }

  /** The chunk table of a resource; that of the last one asked for is kept. */
  async chunkTable(resource: ResourceHeader): Promise<ChunkTable> {
    if (this.lastTable?.offset !== resource.offset || this.lastTable.size !== resource.size) {
      const table = readChunkTable(this.source, this.header.chunkSize, resource, this.limits);
      this.lastTable = { offset: resource.offset, size: resource.size, table };
      table.catch(() => (this.lastTable = undefined));
    }
    return await this.lastTable.table;
  }

  /** Decoded bytes of a whole resource, in pieces of about 1 MiB. */
  readResource(resource: ResourceHeader, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return decodeRange(this, resource, 0, resource.size, options);
  }

  /** Decoded bytes `offset` to `offset + length`; decodes only the chunks they lie in. */
  async readResourceRange(resource: ResourceHeader, offset: number, length: number): Promise<Uint8Array> {
    checkRange(resource.size, offset, length);
    // The chunk table is checked against the stored size before `length` bytes are set aside.
    await this.chunkTable(resource);
    return await joinPieces(decodeRange(this, resource, offset, offset + length), length);
  }

  /** The blob with this SHA-1; throws PRESTAGE_WIM_BLOB_MISSING. */
  blob(sha1: string): BlobEntry {
    const blob = this.blobs.get(sha1);
    if (blob === undefined) throw new WimError("PRESTAGE_WIM_BLOB_MISSING", `The WIM holds no data with SHA-1 ${sha1}, which one of its images names. It is incomplete: a delta needs its base joined by export.`);
    return blob;
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}

async function openAt(source: RandomAccessSource, path: string | undefined, options: OpenWimOptions): Promise<WimFile> {
  const limits = { ...defaultWimLimits, ...options.limits };
  try {
    return new WimFile(source, path, await readParts(source, limits), limits);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readParts(source: RandomAccessSource, limits: WimLimits): Promise<WimParts> {
  const header = await readHeader(source);
  const read = async (resource: ResourceHeader, what: string, limit: number): Promise<Uint8Array> => {
    checkLimit(what, Math.max(resource.size, resource.storedSize), limit);
    const table = await readChunkTable(source, header.chunkSize, resource, limits);
    const reader: ResourceReader = { source, compression: header.compression, chunkTable: async () => table };
    return await joinPieces(decodeRange(reader, resource, 0, resource.size), resource.size);
  };
  const table = await read(header.blobTable, "Bytes of the blob table", limits.blobTableBytes);
  const { blobs, metadata } = guarded("PRESTAGE_WIM_BLOB_TABLE", "The blob table", () => parseBlobTable(table, source.size));
  if (metadata.length !== header.imageCount) {
    throw new WimError("PRESTAGE_WIM_BLOB_TABLE", `The blob table has the metadata of ${metadata.length} images, the header counts ${header.imageCount}. The file is damaged; get it again from its source.`);
  }
  const text = await read(header.xml, "Bytes of XML", limits.xmlBytes);
  const xml = guarded("PRESTAGE_WIM_XML", "The XML description", () => parseWimXml(text, header.imageCount));
  if (header.integrity.size === 0) return { header, blobs, metadata, xml, integrity: undefined };
  const digests = await read(header.integrity, "Bytes of the integrity table", limits.blobTableBytes);
  const integrity = guarded("PRESTAGE_WIM_INTEGRITY_TABLE", "The integrity table", () => parseIntegrityTable(digests, integrityEnd({ header })));
  return { header, blobs, metadata, xml, integrity };
}

async function readHeader(source: RandomAccessSource): Promise<WimHeader> {
  if (source.size < headerSize) throw new WimError("PRESTAGE_WIM_NOT_A_WIM", `The file has ${source.size} bytes, less than a WIM header takes.`);
  const bytes = asBuffer(await source.read(0, headerSize));
  return guarded("PRESTAGE_WIM_HEADER", "The header", () => parseHeader(bytes));
}
