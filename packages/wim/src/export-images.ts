import type { FileHandle } from "node:fs/promises";
import { writeAtomically } from "./atomic-output.ts";
import { serializeBlobTable, type BlobEntry } from "./blob-table.ts";
import { compressionFlags, headerFlags, serializeHeader, type WimHeader } from "./header.ts";
import { integritySpan, serializeIntegrityTable } from "./integrity.ts";
import { OutputFile } from "./output-file.ts";
import { planExport, type ExportContents, type ExportPlan } from "./export-plan.ts";
import { kernelCopyRange } from "./range-clone.ts";
import { copyResources, copyWay, type CopiedResource } from "./resource-copy.ts";
import { noResource, resourceFlags, type ResourceHeader } from "./resource-header.ts";
import type { AnyCompression } from "./compression.ts";
import { xmlOf } from "./xml-edit.ts";

export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** Bytes of stored data. */
  readonly onProgress?: (event: { phase: "copy"; done: number; total: number }) => void;
}

export interface ExportResult {
  /** Bytes. */
  readonly size: number;
  readonly blobCount: number;
  /** Bytes of data that had to be decoded and stored, as they came in another form. */
  readonly decodedBytes: number;
}

/**
 * Writes images of open WIMs into a new one: some of a WIM, all of it without its dead bytes, several WIMs together, the parts
 * of a split set joined, a delta. Trees stay byte for byte; data in the form of the new WIM are copied as they are, others
 * decoded and stored. The file appears under its name only when all of it is on the disk. Throws WimError.
 */
export async function exportWim(plan: ExportPlan, outputPath: string, options: ExportOptions = {}): Promise<ExportResult> {
  const contents = await planExport(plan, options.signal);
  const items = [...contents.blobs, ...contents.metadata];
  const meter = progressMeter(items, options);
  const size = await writeAtomically(outputPath, async (file, partial) =>
    await writePart(file, partial, contents, { part: 1, parts: 1, blobs: contents.blobs, bootIndex: plan.bootIndex ?? 0, integrity: plan.integrity !== false, signal: options.signal, onCopied: meter }));
  const decoded = items.filter((item) => copyWay(item, contents.form) === "decode");
  return { size, blobCount: contents.blobs.length, decodedBytes: decoded.reduce((sum, { resource }) => sum + resource.size, 0) };
}

/** Counts copied bytes and reports about every 8 MiB. */
export function progressMeter(items: readonly CopiedResource[], options: ExportOptions): (bytes: number) => void {
  const total = items.reduce((sum, { resource }) => sum + resource.storedSize, 0);
  let done = 0;
  let reported = 0;
  return (bytes) => {
    done += bytes;
    if (done - reported < 2 ** 23 && done < total) return;
    reported = done;
    options.onProgress?.({ phase: "copy", done: Math.min(done, total), total });
  };
}

/** One file of a WIM: which part it is, and the blobs it holds. */
export interface PartOptions {
  readonly part: number;
  readonly parts: number;
  readonly blobs: readonly CopiedResource[];
  readonly bootIndex: number;
  readonly integrity: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onCopied: (bytes: number) => void;
}

/** Writes one file; metadata only into part 1. Returns its size in bytes. */
export async function writePart(file: FileHandle, path: string, contents: ExportContents, options: PartOptions): Promise<number> {
  const { form, guid } = contents;
  const output = new OutputFile(file, path, { integrity: options.integrity, copyRange: kernelCopyRange, signal: options.signal, onCopied: options.onCopied });
  const flags = compressionFlags(form.compression) | (options.parts > 1 ? headerFlags.split : 0);
  const header: WimHeader<AnyCompression> = {
    version: form.compression === "lzms" ? 0xe00 : 0x10d00, flags: flags | headerFlags.beingWritten, ...form, guid, part: options.part, parts: options.parts, pipable: false,
    imageCount: contents.metadata.length, bootIndex: 0, blobTable: noResource, xml: noResource, bootMetadata: noResource, integrity: noResource,
  };
  await output.writeHeader(serializeHeader(header));
  const copy = (items: readonly CopiedResource[]): Promise<BlobEntry[]> => copyResources(output, items, form, options);
  const blobs = await copy(options.blobs);
  const metadata = options.part === 1 ? await copy(contents.metadata) : [];
  const table = serializeBlobTable([...metadata, ...blobs], options.part);
  const blobTable = tail(output, table.length);
  await output.append(table);
  const digests = output.spans?.finish();
  const text = xmlOf(contents.imageElements, contents.otherElements, output.position);
  const xml = tail(output, text.length);
  await output.appendUnhashed(text);
  const digestTable = digests === undefined ? undefined : serializeIntegrityTable({ spanSize: integritySpan, digests });
  const integrity = digestTable === undefined ? noResource : tail(output, digestTable.length);
  if (digestTable !== undefined) await output.appendUnhashed(digestTable);
  const bootMetadata = metadata[options.bootIndex - 1]?.resource ?? noResource;
  await output.writeHeader(serializeHeader({ ...header, flags, bootIndex: options.parts > 1 ? 0 : options.bootIndex, bootMetadata, blobTable, xml, integrity }));
  return output.position;
}

/** Where the next bytes will lie. */
function tail(output: OutputFile, length: number): ResourceHeader {
  return { storedSize: length, flags: resourceFlags.metadata, offset: output.position, size: length };
}
