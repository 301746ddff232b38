import { createHash } from "node:crypto";
import type { BlobEntry } from "./blob-table.ts";
import { readChunkTable, type ChunkTable } from "./chunk-table.ts";
import type { AnyCompression, WimCompression } from "./compression.ts";
import type { ReadOptions } from "./decode-chunks.ts";
import { WimError } from "./error.ts";
import type { WimHeader } from "./header.ts";
import type { IntegrityTable } from "./integrity.ts";
import { checkLimit, defaultWimLimits, type WimLimits } from "./limits.ts";
import { parseMetadata, type WimImage } from "./metadata.ts";
import { readPlainPart, type WimPart } from "./read-parts.ts";
import { decodeRange, joinPieces, type ResourceReader } from "./resource.ts";
import { isSameResource, type ResourceHeader } from "./resource-header.ts";
import { SolidChunks } from "./solid-read.ts";
import { openSource } from "./pieces.ts";
import { checkRange, type RandomAccessSource } from "./source.ts";
import type { Volume } from "./volume.ts";
import type { WimXml } from "./xml.ts";

export interface OpenWimOptions {
  readonly limits?: Partial<WimLimits>;
}

/**
 * Opens a WIM whose resources lie in one file and can be addressed chunk by chunk: solid, LZMS, pipable and split ones are
 * refused with a code of their own (`openAnyWim` reads those too). Header, blob table, XML and integrity table are read
 * and checked. The source is closed by `close()`, or on failure.
 */
export async function openWim(source: RandomAccessSource, options: OpenWimOptions = {}): Promise<WimFile> {
  return await openAt(source, undefined, options);
}

/** Opens a WIM file, or the pieces one was cut into by the first (`name.wim.001`); its path is kept. */
export async function openWimFile(path: string, options: OpenWimOptions = {}): Promise<WimFile> {
  return await openAt(await openSource(path), path, options);
}

/** A WIM of any form: also LZMS, solid, pipable, split, or with data in references. */
export type AnyWim = WimFile<AnyCompression>;

export interface WimContents<C extends AnyCompression> {
  readonly xml: WimXml;
  readonly blobs: ReadonlyMap<string, BlobEntry>;
  readonly metadata: readonly BlobEntry[];
  /** All files of the WIM in their order; the first has header, XML and metadata. */
  readonly parts: readonly [WimPart<C>, ...WimPart<C>[]];
  /** WIMs asked for data this one does not hold. */
  readonly references?: readonly AnyWim[];
}

/** An open WIM. Every method throws WimError for a damaged or hostile file. */
export class WimFile<C extends AnyCompression = WimCompression> implements ResourceReader {
  readonly path: string | undefined;
  readonly source: RandomAccessSource;
  readonly header: WimHeader<C>;
  readonly xml: WimXml;
  /** Key: SHA-1 as 40 lower-case hex digits. Metadata is not among them. */
  readonly blobs: ReadonlyMap<string, BlobEntry>;
  readonly integrity: IntegrityTable | undefined;
  /** The files it lies in: one, or all parts of a split set. */
  readonly parts: readonly WimPart<C>[];
  readonly references: readonly AnyWim[];
  readonly volume: Volume;
  readonly solidChunks = new SolidChunks();
  private readonly metadata: readonly BlobEntry[];
  readonly limits: WimLimits;
  private lastTable: { readonly resource: ResourceHeader; readonly table: Promise<ChunkTable> } | undefined;

  constructor(path: string | undefined, contents: WimContents<C>, limits: WimLimits) {
    const [first] = contents.parts;
    this.source = first.source;
    this.path = path;
    this.header = first.header;
    this.volume = first.volume;
    this.xml = contents.xml;
    this.blobs = contents.blobs;
    this.integrity = first.integrity;
    this.parts = contents.parts;
    this.references = contents.references ?? [];
    this.metadata = contents.metadata;
    this.limits = limits;
  }

  get imageCount(): number {
    return this.metadata.length;
  }

  get compression(): C {
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
    return parseMetadata(await this.readMetadata(index), this.limits);
  }

  /** The decoded metadata of an image, from 1, its hash checked. */
  async readMetadata(index: number): Promise<Uint8Array> {
    const { resource, sha1 } = this.imageMetadata(index);
    checkLimit("Bytes of metadata", resource.size, Math.min(this.limits.metadataBytes, this.limits.metadataRatio * this.source.size));
    const bytes = await this.readResourceRange(resource, 0, resource.size);
    const found = createHash("sha1").update(bytes).digest("hex");
    if (found !== sha1) throw new WimError("PRESTAGE_WIM_METADATA", `The directory tree of image ${index} has SHA-1 ${found}, expected ${sha1}. The file is damaged; get it again from its source.`);
    return bytes;
  }

  /** The chunk table of a resource; that of the last one asked for is kept. Throws PRESTAGE_WIM_SOLID for data in a solid resource. */
  async chunkTable(resource: ResourceHeader): Promise<ChunkTable> {
    if (resource.place?.solid !== undefined) throw new WimError("PRESTAGE_WIM_SOLID", "Data in a solid resource have no chunks of their own. Export the WIM to LZX to address them.");
    if (this.lastTable === undefined || !isSameResource(this.lastTable.resource, resource)) {
      const table = readChunkTable(resource.place?.volume ?? this.volume, resource, this.limits);
      this.lastTable = { resource, table };
      table.catch(() => (this.lastTable = undefined));
    }
    return await this.lastTable.table;
  }

  /** Decoded bytes of a whole resource, in pieces of about 1 MiB (one chunk, where chunks are larger). */
  readResource(resource: ResourceHeader, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return decodeRange(this, resource, 0, resource.size, options);
  }

  /** Decoded bytes `offset` to `offset + length`; decodes only the chunks they lie in. */
  async readResourceRange(resource: ResourceHeader, offset: number, length: number): Promise<Uint8Array> {
    checkRange(resource.size, offset, length);
    // The chunk table is checked against the stored size before `length` bytes are set aside.
    if (resource.place?.solid === undefined) await this.chunkTable(resource);
    return await joinPieces(decodeRange(this, resource, offset, offset + length), length);
  }

  /** The blob with this SHA-1, here or in a reference; throws PRESTAGE_WIM_BLOB_MISSING. */
  blob(sha1: string): BlobEntry {
    const own = this.blobs.get(sha1);
    if (own !== undefined) return own;
    for (const reference of this.references) {
      const blob = reference.blobs.get(sha1);
      if (blob !== undefined) return { ...blob, resource: { ...blob.resource, place: blob.resource.place ?? { volume: reference.volume } } };
    }
    const where = this.references.length === 0 ? "It is incomplete: if it is a delta, give the WIM it refers to as a reference." : `Neither do its ${this.references.length} reference(s): give the one it was made from.`;
    throw new WimError("PRESTAGE_WIM_BLOB_MISSING", `The WIM holds no data with SHA-1 ${sha1}, which one of its images names. ${where}`);
  }

  /** Closes its files. References are closed by whoever opened them. */
  async close(): Promise<void> {
    for (const { source } of this.parts) await source.close();
  }
}

async function openAt(source: RandomAccessSource, path: string | undefined, options: OpenWimOptions): Promise<WimFile> {
  const limits = { ...defaultWimLimits, ...options.limits };
  try {
    const part = await readPlainPart(source, limits);
    return new WimFile(path, { ...part.contents, xml: part.xml, parts: [part] }, limits);
  } catch (error) {
    await source.close();
    throw error;
  }
}
