import { createHash } from "node:crypto";
import { writeAtomically } from "./atomic-output.ts";
import { serializeBlobTable, type BlobEntry } from "./blob-table.ts";
import { BlobPlan, mergedCompression, reusableDigests, type FileSegment, type RunSegment, type Segment } from "./blob-plan.ts";
import { layOutTail, type WimTail } from "./build-layout.ts";
import { checkPlan, sourceChanged, type WimBuildPlan } from "./build-plan.ts";
import { FollowingHash } from "./following-hash.ts";
import { compressionFlags, headerFlags, headerSize, serializeHeader, type WimHeader } from "./header.ts";
import { integritySpan, serializeIntegrityTable } from "./integrity.ts";
import { hashesBySource, TreeMerge } from "./merge-tree.ts";
import { writeMetadata } from "./metadata-write.ts";
import { OutputFile, type CopyRange } from "./output-file.ts";
import { kernelCopyRange } from "./range-clone.ts";
import { noResource, type ResourceHeader } from "./resource-header.ts";
import { memorySource, openFileSource } from "./source.ts";
import type { WimFile } from "./wim-file.ts";

export interface WimBuildOptions {
  readonly signal?: AbortSignal;
  /** Bytes copied, then integrity digests written, then bytes of the checksum. */
  readonly onProgress?: (event: { phase: "copy" | "integrity" | "checksum"; done: number; total: number }) => void;
  /** Copies the ranges nobody has to see; by default `kernelCopyRange`. false: everything is read and written. */
  readonly copyRange?: CopyRange | false;
  /** Sources from this many bytes on are placed so that their integrity spans can be reused; 100,000,000 by default. */
  readonly reuseFrom?: number;
  /** Whether to give the SHA-256 of the whole file. */
  readonly checksum?: boolean;
}

export interface WimBuildResult {
  /** Bytes. */
  readonly size: number;
  readonly blobCount: number;
  /** Bytes whose integrity digests were taken from the sources. */
  readonly integrityReused: number;
  /** Of the whole file, in hex digits, where it was asked for. */
  readonly sha256?: string;
}

/**
 * Merges trees and plain files into a WIM. Compressed data are copied as they are. The file appears under its name only
 * when all of it is on the disk; a failed or aborted build leaves nothing. Throws WimError, or the signal's reason.
 */
export async function buildWim(plan: WimBuildPlan, outputPath: string, options: WimBuildOptions = {}): Promise<WimBuildResult> {
  checkPlan(plan);
  const build = new WimBuild(plan, options);
  let sha256: string | undefined;
  try {
    const result = await writeAtomically(
      outputPath,
      async (file, partial) => await build.write((output) => new OutputFile(file, partial, output), partial),
      async (written) => void (sha256 = await build.finish(written)),
    );
    return { ...result, ...(sha256 !== undefined && { sha256 }) };
  } finally {
    await build.close();
  }
}

class WimBuild {
  private readonly plan: WimBuildPlan;
  private readonly options: WimBuildOptions;
  private readonly blobPlan = new BlobPlan();
  private readonly merges: TreeMerge[] = [];
  private readonly places = new Map<Segment, number>();
  private checksum: FollowingHash | undefined;
  private copied = 0;
  /** 0 until all is written. */
  private size = 0;

  constructor(plan: WimBuildPlan, options: WimBuildOptions) {
    this.plan = plan;
    this.options = options;
  }

  async write(makeOutput: (options: OutputFile["options"]) => OutputFile, path: string): Promise<WimBuildResult> {
    const compression = mergedCompression(this.plan);
    for (const image of this.plan.images) await this.merge(image);
    const segments = this.blobPlan.segments(this.reuseFrom);
    const header: WimHeader = {
      version: 0x10d00, flags: compressionFlags(compression.compression), ...compression, guid: this.plan.guid,
      imageCount: this.plan.images.length, bootIndex: 0, part: 1, parts: 1, pipable: false, blobTable: noResource, xml: noResource, bootMetadata: noResource, integrity: noResource,
    };
    const end = this.place(segments);
    // A file whose hash is found while it is copied is hashed twice by this thread: another beside it then gains nothing.
    const early = segments.every((segment) => segment.kind === "run" || segment.sha1 !== undefined) ? headerOf(header, this.layOut(end)) : undefined;
    if (early !== undefined) this.follow(path, early);
    const output = makeOutput({ ...this.outputOptions(segments), flushEarly: early !== undefined });
    await output.writeHeader(serializeHeader({ ...header, flags: header.flags | headerFlags.beingWritten }));
    for (const segment of segments) await (segment.kind === "run" ? this.copyRun(output, segment) : this.copyFile(output, segment));
    const tail = this.layOut(end);
    await this.writeTail(output, tail);
    const bytes = headerOf(header, tail);
    if (output.position !== tail.size || early?.equals(bytes) === false) throw new Error(`the file has ${output.position} bytes, or others than were reckoned`);
    await output.writeHeader(bytes);
    this.size = tail.size;
    if (early === undefined) this.follow(path, bytes);
    return { size: output.position, blobCount: this.blobPlan.blobs.size, integrityReused: output.spans?.reused ?? 0 };
  }

  /** Begins the SHA-256 of the file, where it is wanted: from now on it follows what is written. */
  private follow(path: string, header: Buffer): void {
    if (this.options.checksum !== true) return;
    let done = header.length;
    this.checksum = new FollowingHash(path, header, (bytes) => {
      done += bytes;
      if (this.size > 0) this.options.onProgress?.({ phase: "checksum", done, total: this.size });
    });
  }

  /** What is left of the checksum when all is written: the disk may take the file meanwhile. */
  async finish({ size }: WimBuildResult): Promise<string | undefined> {
    return await this.checksum?.finish(size, this.options.signal);
  }

  async close(): Promise<void> {
    await this.checksum?.close();
  }

  /** Where each segment goes; gives the end of the last. Known blobs learn their place. */
  private place(segments: readonly Segment[]): number {
    let position = headerSize;
    for (const segment of segments) {
      const [wim, from, to] = segment.kind === "run" ? [segment.wim, segment.from, segment.to] : [segment.sha1 === undefined ? undefined : segment.file.wim, 0, segment.file.size];
      if (this.isReusable(wim, from, to)) position = from + integritySpan * Math.max(0, Math.ceil((position - from) / integritySpan));
      this.places.set(segment, position);
      position += to - from;
    }
    return position;
  }

  private layOut(end: number): WimTail {
    const { plan, blobPlan } = this;
    const written = this.merges.map(({ root }) => writeMetadata(root, (node) => (node.file === undefined ? undefined : blobPlan.fileHashes.get(node.file)), (sha1) => blobPlan.blobs.get(sha1)?.size ?? 0));
    return layOutTail(end, written, blobPlan.blobs.size, plan.images, plan.time, plan.integrity !== false);
  }

  private get reuseFrom(): number {
    return this.plan.integrity === false ? Number.POSITIVE_INFINITY : (this.options.reuseFrom ?? 100_000_000);
  }

  private outputOptions(segments: readonly Segment[]): OutputFile["options"] {
    const total = segments.reduce((sum, segment) => sum + (segment.kind === "run" ? segment.to - segment.from : segment.file.size), 0);
    let reported = 0;
    return {
      onReached: (position) => this.checksum?.reach(position),
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
    const known = this.goTo(output, run, run.wim, run.from, run.to);
    const shift = output.position - run.from;
    await output.copy(run.wim.source, run.from, run.to - run.from, known);
    for (const { blob, resource } of run.blobs) blob.resource = { ...resource, offset: resource.offset + shift };
  }

  private async copyFile(output: OutputFile, segment: FileSegment): Promise<void> {
    const { file, sha1 } = segment;
    const known = this.goTo(output, segment, sha1 === undefined ? undefined : file.wim, 0, file.size);
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

  private isReusable(wim: WimFile | undefined, from: number, to: number): boolean {
    return to - from >= this.reuseFrom && reusableDigests(wim) !== undefined;
  }

  /** Moves on to a segment's place: where it is reused, source byte x lands on output byte m * span + x. Gives the digests of the output's spans. */
  private goTo(output: OutputFile, segment: Segment, wim: WimFile | undefined, from: number, to: number): ((span: number) => Uint8Array | undefined) | undefined {
    output.skipTo(this.places.get(segment) ?? output.position);
    const reusable = reusableDigests(wim);
    if (reusable === undefined || !this.isReusable(wim, from, to)) return undefined;
    const spans = (output.position - from) / integritySpan;
    return (span) => {
      const sourceSpan = span - spans;
      return headerSize + (sourceSpan + 1) * integritySpan <= reusable.end ? reusable.digests[sourceSpan] : undefined;
    };
  }

  /** Metadata and blob table, then what the integrity table does not cover: XML and the table itself. */
  private async writeTail(output: OutputFile, tail: WimTail): Promise<void> {
    for (const { bytes } of tail.metadata) await output.append(bytes);
    const metadata = tail.metadata.map(({ bytes, resource }): BlobEntry => ({ resource, referenceCount: 1, sha1: createHash("sha1").update(bytes).digest("hex") }));
    await output.append(serializeBlobTable([...metadata, ...this.blobEntries()]));
    await output.appendUnhashed(tail.xmlBytes);
    const digests = output.spans?.finish();
    if (digests === undefined) return;
    await output.appendUnhashed(serializeIntegrityTable({ spanSize: integritySpan, digests }));
    this.options.onProgress?.({ phase: "integrity", done: digests.length, total: digests.length });
  }

  private blobEntries(): BlobEntry[] {
    return [...this.blobPlan.blobs.values()]
      .map(({ sha1, references, resource }) => ({ sha1, referenceCount: references, resource: resource ?? noResource }))
      .sort((a, b) => a.resource.offset - b.resource.offset);
  }
}

function headerOf(header: WimHeader, { blobTable, xml, integrity }: WimTail): Buffer {
  return serializeHeader({ ...header, blobTable, xml, integrity });
}
