import { blobEntrySize } from "./blob-table.ts";
import type { DescribedImage } from "./xml-write.ts";
import { headerSize } from "./header.ts";
import { integritySpan, integrityTableSize } from "./integrity.ts";
import type { WrittenMetadata } from "./metadata-write.ts";
import { noResource, resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { writeXml } from "./xml-write.ts";

/** What stands behind the blobs: all that the header tells, known before it is written where every blob is known. */
export interface WimTail {
  readonly metadata: readonly { readonly bytes: Buffer; readonly resource: ResourceHeader }[];
  readonly blobTable: ResourceHeader;
  readonly xmlBytes: Buffer;
  readonly xml: ResourceHeader;
  readonly integrity: ResourceHeader;
  /** Bytes of the whole file. */
  readonly size: number;
}

/** Metadata, blob table, XML and integrity table, one behind the other from `end`, where the blobs end. */
export function layOutTail(end: number, written: readonly WrittenMetadata[], blobs: number, images: readonly DescribedImage["image"][], time: bigint, integrity: boolean): WimTail {
  let position = end;
  const take = (size: number): ResourceHeader => {
    const resource: ResourceHeader = { storedSize: size, flags: resourceFlags.metadata, offset: position, size };
    position += size;
    return resource;
  };
  const metadata = written.map(({ bytes }) => ({ bytes, resource: take(bytes.length) }));
  const blobTable = take((metadata.length + blobs) * blobEntrySize);
  const xmlBytes = writeXml(images.map((image, i) => ({ image, counts: written[i]!.counts })), time, position);
  const covered = position - headerSize;
  const xml = take(xmlBytes.length);
  const table = integrity ? take(integrityTableSize(Math.ceil(covered / integritySpan))) : noResource;
  return { metadata, blobTable, xmlBytes, xml, integrity: table, size: position };
}
