import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { writeAtomically } from "./atomic-output.ts";
import { serializeBlobTable, type BlobEntry } from "./blob-table.ts";
import { BlobPlan, mergedCompression, reusableDigests, type FileSegment, type RunSegment, type Segment } from "./blob-plan.ts";
import { checkPlan, sourceChanged, type WimBuildPlan } from "./build-plan.ts";
import { compressionFlags, headerFlags, headerSize, serializeHeader, type WimHeader } from "./header.ts";
import { integritySpan, serializeIntegrityTable } from "./integrity.ts";
import { hashesBySource, TreeMerge } from "./merge-tree.ts";
import { writeMetadata, type ImageCounts } from "./metadata-write.ts";
import { OutputFile, type CopyRange } from "./output-file.ts";
import { kernelCopyRange } from "./range-clone.ts";
import { noResource, resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { memorySource, openFileSource } from "./source.ts";
import type { WimFile } from "./wim-file.ts";
import { writeXml } from "./xml-write.ts";

export interface WimBuildOptions {
  readonly signal?: AbortSignal;
  /** Bytes copied, then integrity digests written. */
  readonly onProgress?: (event: { phase: "copy" | "integrity"; done: number; total: number }) => void;
  /** Copies the ranges nobody has to see; by default `kernelCopyRange`. false: everything is read and written. */
  readonly copyRange?: CopyRange | false;
  /** Sources from this many bytes on are placed so that their integrity spans can be reused; 100,000,000 by default. */
  readonly reuseFrom?: number;
  /** Reads the file when all of it is written, while the disk takes it; where this fails, so does the build. */
  readonly onWritten?: (file: FileHandle, size: number) => Promise<void>;
}

export interface WimBuildResult {
  /** Bytes. */
  readonly size: number;
  readonly blobCount: number;
  /** Bytes whose integrity digests were taken from the sources. */
  readonly integrityReused: number;
}

/**
 * Merges trees and plain files into a WIM. Compressed data are copied as they are. The file appears under its name only
 * when all of it is on the disk; a failed or aborted build leaves nothing. Throws WimError, or the signal's reason.
 */
export async function buildWim(plan: WimBuildPlan, outputPath: string, options: WimBuildOptions = {}): Promise<WimBuildResult> {
  checkPlan(plan);
  return await writeAtomically(outputPath, async (file, partial) => await new WimBuild(plan, options).write((output) => new OutputFile(file, partial, output)), async (file, { size }) => await options.onWritten?.(file, size));
}

class WimBuild {
  private readonly plan: WimBuildPlan;
  private readonly options: WimBuildOptions;
  private readonly blobPlan = new BlobPlan();
  private readonly merges: TreeMerge[] = [];
  private copied = 0;

  constructor(plan: WimBuildPlan, options: WimBuildOptions) {
    this.plan = plan;
    this.options = options;
  }

  async write(makeOutput: (options: OutputFile["options"]) => OutputFile): Promise<WimBuildResult> {
    const compression = mergedCompression(this.plan);
    for (const image of this.plan.images) await this.merge(image);
    const segments = this.blobPlan.segments(this.reuseFrom);
    const output = makeOutput(this.outputOptions(segments));
    const header: WimHeader = {
      version: 0x10d00, flags: compressionFlags(compression.compression) | headerFlags.beingWritten, ...compression, guid: this.plan.guid,
      imageCount: this.plan.images.length, bootIndex: 0, part: 1, parts: 1, pipable: false, blobTable: noResource, xml: noResource, bootMetadata: noResource, integrity: noResource,
    };
    await output.writeHeader(serializeHeader(header));
    for (const segment of segments) await (segment.kind === "run" ? this.copyRun(output, segment) : this.copyFile(output, segment));
    const { metadata, counts } = await this.writeImages(output);
    const blobTable = await appendResource(output, serializeBlobTable([...metadata, ...this.blobEntries()]), resourceFlags.metadata);
    const images = this.plan.images.map((image, i) => ({ image, counts: counts[i]! }));
    const digests = output.spans?.finish();
    const xmlOffset = output.position;
    const xml = await appendTail(output, writeXml(images, this.plan.time, xmlOffset));
    const integrity = digests === undefined ? noResource : await appendTail(output, serializeIntegrityTable({ spanSize: integritySpan, digests }));
    if (digests !== undefined) this.options.onProgress?.({ phase: "integrity", done: digests.length, total: digests.length });
    await output.writeHeader(serializeHeader({ ...header, flags: header.flags & ~headerFlags.beingWritten, blobTable, xml, integrity }));
    return { size: output.position, blobCount: this.blobPlan.blobs.size, integrityReused: output.spans?.reused ?? 0 };
  }

  private get reuseFrom(): number {
    return this.plan.integrity === false ? Number.POSITIVE_INFINITY : (this.options.reuseFrom ?? 100_000_000);
  }

  private outputOptions(segments: readonly Segment[]): OutputFile["options"] {
    const total = segments.reduce((sum, segment) => sum + (segment.kind === "run" ? segment.to - segment.from : segment.file.size), 0);
    let reported = 0;
    return {
      integrity: this.plan.integrity !== false, copyRange: this.options.copyRange === false ? undefined : (this.options.copyRange ?? kernelCopyRange), signal: this.options.signal,
      onCopied: (bytes) => {
        this.copied += bytes;
        if (this.copied - reported < 2 ** 23 && this.copied < total) return;
        reported = this.copied;
        this.options.onProgress?.({ phase: "copy", done: this.copied, total });
      },
    };
  }

  /** Merges one image and notes what its sources contribute, in their order. */
  private async merge(image: WimBuildPlan["images"][number]): Promise<void> {
    this.options.signal?.throwIfAborted();
    const trees = await Promise.all(image.sources.map(async (source) => (source.kind === "tree" ? await source.wim.readImage(source.image) : undefined)));
    const merge = new TreeMerge(image, this.plan.time, trees);
    this.merges.push(merge);
    const hashes = hashesBySource(merge.root, image.sources.length);
    for (const [i, source] of image.sources.entries()) {
      this.options.signal?.throwIfAborted();
      if (source.kind === "tree") this.blobPlan.addTree(source.wim, hashes[i]!);
      else if (source.kind === "file") await this.blobPlan.addFile(source);
    }
  }

  /** A long run is placed at a whole number of spans from where it lies in its source: its integrity spans stay valid. */
  private async copyRun(output: OutputFile, run: RunSegment): Promise<void> {
    const known = this.align(output, run.wim, run.from, run.to);
    const shift = output.position - run.from;
    await output.copy(run.wim.source, run.from, run.to - run.from, known);
    for (const { blob, resource } of run.blobs) blob.resource = { ...resource, offset: resource.offset + shift };
  }

  private async copyFile(output: OutputFile, { file, sha1 }: FileSegment): Promise<void> {
    const known = file.wim === undefined || sha1 === undefined ? undefined : this.align(output, file.wim, 0, file.size);
    const resource: ResourceHeader = { storedSize: file.size, flags: 0, offset: output.position, size: file.size };
    const hash = sha1 !== undefined && file.wim !== undefined ? undefined : createHash("sha1");
    const source = "bytes" in file.from ? memorySource(file.from.bytes) : await openFileSource(file.from.path);
    try {
      if (source.size !== file.size) throw sourceChanged(file, `${source.size} bytes`, `${file.size}`);
      await output.copy(source, 0, file.size, known, hash);
    } finally {
      await source.close();
    }
    const found = hash?.digest("hex");
    if (sha1 !== undefined && found !== undefined && found !== sha1) throw sourceChanged(file, `SHA-1 ${found}`, sha1);
    if (sha1 !== undefined) this.blobPlan.blobs.get(sha1)!.resource = resource;
    else if (found !== undefined) this.blobPlan.reference(file, found, resource);
  }

  /** Moves on to where source byte x lands on output byte m * span + x; gives the digests of the output's spans. */
  private align(output: OutputFile, wim: WimFile, from: number, to: number): ((span: number) => Uint8Array | undefined) | undefined {
    const reusable = reusableDigests(wim);
    if (reusable === undefined || to - from < this.reuseFrom) return undefined;
    const spans = Math.max(0, Math.ceil((output.position - from) / integritySpan));
    output.skipTo(spans * integritySpan + from);
    return (span) => {
      const sourceSpan = span - spans;
      return headerSize + (sourceSpan + 1) * integritySpan <= reusable.end ? reusable.digests[sourceSpan] : undefined;
    };
  }

  private async writeImages(output: OutputFile): Promise<{ metadata: BlobEntry[]; counts: ImageCounts[] }> {
    const metadata: BlobEntry[] = [];
    const counts: ImageCounts[] = [];
    for (const { root } of this.merges) {
      const written = writeMetadata(root, (node) => (node.file === undefined ? undefined : this.blobPlan.fileHashes.get(node.file)), (sha1) => this.blobPlan.blobs.get(sha1)?.size ?? 0);
      const sha1 = createHash("sha1").update(written.bytes).digest("hex");
      metadata.push({ resource: await appendResource(output, written.bytes, resourceFlags.metadata), referenceCount: 1, sha1 });
      counts.push(written.counts);
    }
    return { metadata, counts };
  }

  private blobEntries(): BlobEntry[] {
    return [...this.blobPlan.blobs.values()]
      .map(({ sha1, references, resource }) => ({ sha1, referenceCount: references, resource: resource ?? noResource }))
      .sort((a, b) => a.resource.offset - b.resource.offset);
  }
}

async function appendResource(output: OutputFile, bytes: Uint8Array, flags: number): Promise<ResourceHeader> {
  const offset = output.position;
  await output.append(bytes);
  return { storedSize: bytes.length, flags, offset, size: bytes.length };
}

/** XML and integrity table: behind what the table covers. */
async function appendTail(output: OutputFile, bytes: Uint8Array): Promise<ResourceHeader> {
  const offset = output.position;
  await output.appendUnhashed(bytes);
  return { storedSize: bytes.length, flags: resourceFlags.metadata, offset, size: bytes.length };
}
