import { createHash } from "node:crypto";
import type { BlobEntry } from "./blob-table.ts";
import { writeU64 } from "./bytes.ts";
import type { AnyCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import type { OutputFile } from "./output-file.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import type { RandomAccessSource } from "./source.ts";
import type { AnyWim } from "./wim-file.ts";

/** The one method and chunk size a WIM's header gives to all of its compressed resources. */
export interface StoredForm {
  readonly compression: AnyCompression;
  /** 0 where nothing is compressed. */
  readonly chunkSize: number;
}

/** A resource of an open WIM that is to be copied. */
export interface CopiedResource extends BlobEntry {
  readonly wim: AnyWim;
}

/**
 * How a resource gets into a WIM of that form: as it is; with its chunk table moved to where ordinary WIMs have it; or
 * decoded and stored, where it is solid or compressed otherwise.
 */
export function copyWay({ wim, resource }: CopiedResource, form: StoredForm): "raw" | "repack" | "decode" {
  if (resource.place?.solid !== undefined) return "decode";
  if ((resource.flags & resourceFlags.compressed) === 0) return "raw";
  const volume = resource.place?.volume ?? wim.volume;
  if (volume.compression !== form.compression || volume.chunkSize !== form.chunkSize) return "decode";
  return volume.pipable ? "repack" : "raw";
}

/** Bytes it will take there. */
export async function copiedSize(copied: CopiedResource, form: StoredForm): Promise<number> {
  const way = copyWay(copied, form);
  if (way === "raw") return copied.resource.storedSize;
  if (way === "decode") return copied.resource.size;
  const { sizes } = await copied.wim.chunkTable(copied.resource);
  return sizes.reduce((sum, size) => sum + size, (sizes.length - 1) * tableWidth(copied.resource));
}

export interface CopyOptions {
  readonly signal: AbortSignal | undefined;
  /** Stored bytes since the last call. */
  readonly onCopied: (bytes: number) => void;
}

/** Copies resources to the end of a WIM being written, in order. Neighbours that are copied as they are go in one piece. */
export async function copyResources(output: OutputFile, items: readonly CopiedResource[], form: StoredForm, options: CopyOptions): Promise<BlobEntry[]> {
  const entries: BlobEntry[] = [];
  for (let i = 0; i < items.length; ) {
    options.signal?.throwIfAborted();
    const { wim, resource } = items[i]!;
    const source = sourceOf(items[i]!);
    let end = i + 1;
    let to = resource.offset + resource.storedSize;
    if (copyWay(items[i]!, form) === "raw") {
      for (; end < items.length; end++) {
        const next = items[end]!;
        if (next.wim !== wim || sourceOf(next) !== source || next.resource.offset !== to || copyWay(next, form) !== "raw") break;
        to += next.resource.storedSize;
      }
    }
    if (end === i + 1) {
      entries.push(entryOf(items[i]!, await copyResource(output, items[i]!, form, options.signal)));
      // What is copied as it is has been counted piece by piece.
      if (copyWay(items[i]!, form) !== "raw") options.onCopied(resource.storedSize);
    } else {
      const shift = output.position - resource.offset;
      await output.copy(source, resource.offset, to - resource.offset);
      for (const item of items.slice(i, end)) entries.push(entryOf(item, rawHeader(item.resource, item.resource.offset + shift)));
    }
    i = end;
  }
  return entries;
}

function entryOf({ sha1, referenceCount }: CopiedResource, resource: ResourceHeader): BlobEntry {
  return { sha1, referenceCount, resource };
}

function sourceOf({ wim, resource }: CopiedResource): RandomAccessSource {
  return (resource.place?.volume ?? wim.volume).source;
}

function rawHeader({ storedSize, flags, size }: ResourceHeader, offset: number): ResourceHeader {
  return { storedSize, flags: flags & (resourceFlags.compressed | resourceFlags.metadata), offset, size };
}

/** Copies one. What is decoded is checked against its SHA-1. */
async function copyResource(output: OutputFile, copied: CopiedResource, form: StoredForm, signal: AbortSignal | undefined): Promise<ResourceHeader> {
  const { wim, resource } = copied;
  const source = sourceOf(copied);
  const offset = output.position;
  const metadata = resource.flags & resourceFlags.metadata;
  switch (copyWay(copied, form)) {
    case "raw":
      await output.copy(source, resource.offset, resource.storedSize);
      return rawHeader(resource, offset);
    case "repack": {
      const { offsets, sizes } = await wim.chunkTable(resource);
      await output.append(chunkTableBytes(resource, sizes));
      await copyChunks(output, source, offsets, sizes);
      return { storedSize: output.position - offset, flags: resourceFlags.compressed | metadata, offset, size: resource.size };
    }
    case "decode":
      await decodeInto(output, copied, signal);
      return { storedSize: resource.size, flags: metadata, offset, size: resource.size };
  }
}

/** Copies chunks without the sizes between them, about 1 MiB at a time. */
async function copyChunks(output: OutputFile, source: RandomAccessSource, offsets: readonly number[], sizes: readonly number[]): Promise<void> {
  for (let first = 0; first < offsets.length; ) {
    const from = offsets[first]!;
    let end = first + 1;
    while (end < offsets.length && offsets[end]! + sizes[end]! - from <= 2 ** 20) end++;
    const bytes = await source.read(from, offsets[end - 1]! + sizes[end - 1]! - from);
    await output.append(Buffer.concat(offsets.slice(first, end).map((at, i) => bytes.subarray(at - from, at - from + sizes[first + i]!))));
    first = end;
  }
}

async function decodeInto(output: OutputFile, { wim, resource, sha1 }: CopiedResource, signal: AbortSignal | undefined): Promise<void> {
  const hash = createHash("sha1");
  for await (const piece of wim.readResource(resource, signal === undefined ? {} : { signal })) {
    hash.update(piece);
    await output.append(piece);
  }
  const found = hash.digest("hex");
  if (found !== sha1) throw new WimError("PRESTAGE_WIM_BLOB_HASH", `Data at byte ${resource.offset} have SHA-1 ${found}, expected ${sha1}. The file is damaged; get it again from its source.`);
}

function tableWidth(resource: ResourceHeader): number {
  return resource.size > 0xffffffff ? 8 : 4;
}

/** Offsets of all chunks but the first, counted from the end of the table. */
function chunkTableBytes(resource: ResourceHeader, sizes: readonly number[]): Buffer {
  const width = tableWidth(resource);
  const table = Buffer.alloc((sizes.length - 1) * width);
  let at = 0;
  for (let i = 0; i < sizes.length - 1; i++) {
    at += sizes[i]!;
    if (width === 4) table.writeUInt32LE(at, i * 4);
    else writeU64(table, i * 8, at);
  }
  return table;
}
