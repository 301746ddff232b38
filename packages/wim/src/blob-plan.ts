import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { sourceChanged, type FileSource, type WimBuildPlan } from "./build-plan.ts";
import { WimError } from "./error.ts";
import { integrityEnd, integritySpan } from "./integrity.ts";
import type { ResourceHeader } from "./resource-header.ts";
import { ioGuard } from "./source.ts";
import type { WimFile } from "./wim-file.ts";

/** A blob of the WIM being built; `resource` is set when it has been copied. */
export interface PlannedBlob {
  readonly sha1: string;
  readonly size: number;
  references: number;
  resource: ResourceHeader | undefined;
}

/** Stored bytes [from, to) of a source WIM that are copied as they are. */
export interface RunSegment {
  readonly kind: "run";
  readonly wim: WimFile;
  readonly from: number;
  readonly to: number;
  readonly blobs: { readonly blob: PlannedBlob; readonly resource: ResourceHeader }[];
}

/** A plain file; `sha1` undefined: found while copying. */
export interface FileSegment {
  readonly kind: "file";
  readonly file: FileSource;
  readonly sha1: string | undefined;
}

export type Segment = RunSegment | FileSegment;

/** Files up to this size are hashed before they are copied, so that equal ones are stored once. */
const hashFirst = 8 * 2 ** 20;
/** Dead bytes copied along rather than breaking a run whose integrity spans are reused. */
const runGap = 2 ** 16;

/** Collects what the images refer to and the order in which it is copied: sources as planned, blobs as they lie in their source. */
export class BlobPlan {
  readonly blobs = new Map<string, PlannedBlob>();
  /** SHA-1 of each plain file with data; complete once all is copied. */
  readonly fileHashes = new Map<FileSource, string>();
  private readonly order: (WimFile | FileSource)[] = [];
  private readonly wanted = new Map<WimFile, RunSegment["blobs"]>();

  /** Takes every blob the entries of one grafted image refer to. Each name of a hard link counts as a reference. */
  addTree(wim: WimFile, hashes: Iterable<string>): void {
    for (const sha1 of hashes) {
      const present = this.blobs.get(sha1);
      if (present !== undefined) {
        present.references++;
        continue;
      }
      const { resource } = wim.blob(sha1);
      const blob: PlannedBlob = { sha1, size: resource.size, references: 1, resource: undefined };
      this.blobs.set(sha1, blob);
      const list = this.wanted.get(wim);
      if (list !== undefined) list.push({ blob, resource });
      else {
        this.wanted.set(wim, [{ blob, resource }]);
        this.order.push(wim);
      }
    }
  }

  async addFile(file: FileSource): Promise<void> {
    if (file.size === 0) return;
    const sha1 = await knownHash(file);
    if (sha1 === undefined) this.order.push(file);
    else if (this.reference(file, sha1, undefined)) this.order.push(file);
  }

  /** Notes the hash of a plain file; false when the blob is there already. */
  reference(file: FileSource, sha1: string, resource: ResourceHeader | undefined): boolean {
    this.fileHashes.set(file, sha1);
    const present = this.blobs.get(sha1);
    if (present !== undefined) {
      present.references++;
      return false;
    }
    this.blobs.set(sha1, { sha1, size: file.size, references: 1, resource });
    return true;
  }

  /** What is copied, in order. `reuseFrom`: sources from this many bytes on are kept in long runs. */
  segments(reuseFrom: number): Segment[] {
    return this.order.flatMap((source): Segment[] => {
      if ("kind" in source) return [{ kind: "file", file: source, sha1: this.fileHashes.get(source) }];
      return runsOf(source, this.wanted.get(source) ?? [], reuseFrom);
    });
  }
}

/** SHA-1 if it is given or cheap to find. */
async function knownHash(file: FileSource): Promise<string | undefined> {
  if (file.size > hashFirst || (file.sha1 !== undefined && file.wim !== undefined)) return file.sha1;
  const { from } = file;
  const bytes = "bytes" in from ? from.bytes : await ioGuard(`Cannot read ${from.path}`, () => readFile(from.path));
  if (bytes.length !== file.size) throw sourceChanged(file, `${bytes.length} bytes`, `${file.size}`);
  const found = createHash("sha1").update(bytes).digest("hex");
  if (file.sha1 !== undefined && found !== file.sha1) throw sourceChanged(file, `SHA-1 ${found}`, file.sha1);
  return found;
}

/** Neighbours form runs; where integrity spans can be reused, small gaps are copied along. */
function runsOf(wim: WimFile, wanted: RunSegment["blobs"], reuseFrom: number): RunSegment[] {
  wanted.sort((a, b) => a.resource.offset - b.resource.offset);
  const total = wanted.reduce((sum, { resource }) => sum + resource.storedSize, 0);
  const gap = total >= reuseFrom && reusableDigests(wim) !== undefined ? runGap : 0;
  const runs: { kind: "run"; wim: WimFile; from: number; to: number; blobs: RunSegment["blobs"] }[] = [];
  for (const item of wanted) {
    const { offset, storedSize } = item.resource;
    const last = runs.at(-1);
    if (last !== undefined && offset >= last.to && offset - last.to <= gap) {
      last.to = offset + storedSize;
      last.blobs.push(item);
    } else runs.push({ kind: "run", wim, from: offset, to: offset + storedSize, blobs: [item] });
  }
  return runs;
}

/** The spans of a source WIM whose SHA-1 is known; `end` is where the last whole one may end. */
export function reusableDigests(wim: WimFile | undefined): { readonly digests: readonly Uint8Array[]; readonly end: number } | undefined {
  if (wim?.integrity?.spanSize !== integritySpan) return undefined;
  return { digests: wim.integrity.digests, end: integrityEnd(wim) };
}

/** One method and chunk size for all merged trees, as a WIM has one header. */
export function mergedCompression(plan: WimBuildPlan): Pick<WimFile["header"], "compression" | "chunkSize"> {
  let chosen: WimFile | undefined;
  for (const source of plan.images.flatMap((image) => image.sources)) {
    if (source.kind !== "tree" || source.wim.header.compression === "none") continue;
    chosen ??= source.wim;
    const { compression, chunkSize } = source.wim.header;
    const { header } = chosen;
    if (compression !== header.compression || chunkSize !== header.chunkSize) {
      throw new WimError("PRESTAGE_WIM_COMPRESSION_DIFFERS", `The tree for ${JSON.stringify(source.destination)} is ${compression} in chunks of ${chunkSize} bytes, another is ${header.compression} in ${header.chunkSize}. Export one with: wimlib-imagex export IN all OUT.wim --compress=LZX:20 --check`);
    }
  }
  return { compression: chosen?.header.compression ?? "none", chunkSize: chosen?.header.chunkSize ?? 0 };
}
