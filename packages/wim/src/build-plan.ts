import type { UnixItem } from "./entry.ts";
import { WimError } from "./error.ts";
import { nameFault } from "./unsafe-names.ts";
import type { WimFile } from "./wim-file.ts";

/** What a built WIM is made of. Two builds of equal plans give equal bytes. */
export interface WimBuildPlan {
  /** 16 bytes. */
  readonly guid: Uint8Array;
  /** Time of the images and of directories made up, 100 ns since 1601. Never the clock. */
  readonly time: bigint;
  readonly images: readonly WimBuildImage[];
  /** Whether to write an integrity table; by default yes. */
  readonly integrity?: boolean;
}

export interface WimBuildImage {
  readonly name: string;
  readonly description?: string;
  readonly sources: readonly WimSource[];
  /** For FAT and NTFS: names that differ only in case are one path. */
  readonly caseInsensitive?: boolean;
}

/** Destinations are paths such as `a/b`; "" is the root of the image. */
export type WimSource = TreeSource | FileSource | DirectorySource;

/** An image of another WIM, grafted as it is; its compressed data are copied, never recompressed. */
export interface TreeSource {
  readonly kind: "tree";
  readonly wim: WimFile;
  readonly image: number;
  readonly destination: string;
  /** Given to every entry without one. */
  readonly securityDescriptor?: Uint8Array;
}

/** A plain file, stored uncompressed. */
export interface FileSource {
  readonly kind: "file";
  readonly destination: string;
  readonly from: { readonly path: string } | { readonly bytes: Uint8Array };
  /** Bytes; checked. */
  readonly size: number;
  /** Checked, unless `wim` is given too: then it is taken as known, and large files are not hashed again. */
  readonly sha1?: string;
  /** The file itself as an open WIM: its integrity table saves hashing. */
  readonly wim?: WimFile;
  readonly time?: bigint;
  readonly unix?: UnixItem;
  readonly securityDescriptor?: Uint8Array;
  /** Files with the same text here are hard links of one file; their data must be the same. */
  readonly hardLink?: string;
  /** The data are reparse data under this tag; see `symlinkSource`. */
  readonly reparseTag?: number;
}

export interface DirectorySource {
  readonly kind: "directory";
  readonly destination: string;
  readonly time?: bigint;
  readonly unix?: UnixItem;
  readonly securityDescriptor?: Uint8Array;
}

/** Throws PRESTAGE_WIM_PLAN for a plan that could not become a WIM every reader takes. */
export function checkPlan(plan: WimBuildPlan): void {
  if (plan.guid.length !== 16) throw badPlan(`the GUID has ${plan.guid.length} bytes, expected 16`);
  if (plan.time < 0n || plan.time >= 1n << 63n) throw badPlan(`the time ${plan.time} is out of range`);
  if (plan.images.length === 0 || plan.images.length > 65535) throw badPlan(`it has ${plan.images.length} images, expected 1 to 65535`);
  const names = new Set(plan.images.map((image) => image.name));
  if (names.has("") || names.size !== plan.images.length) throw badPlan("image names must be given and differ");
  for (const { name, description = "" } of plan.images) {
    // eslint-disable-next-line no-control-regex -- XML cannot hold these
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(name + description) || !(name + description).isWellFormed()) throw badPlan(`the name or description of image ${JSON.stringify(name)} has a character XML cannot hold`);
  }
  for (const source of plan.images.flatMap((image) => image.sources)) if (source.kind === "file") checkFile(source);
}

function checkFile(file: FileSource): void {
  if (!Number.isSafeInteger(file.size) || file.size < 0) throw badPlan(`${file.destination} has size ${file.size}`);
  if (file.sha1 !== undefined && !/^[0-9a-f]{40}$/.test(file.sha1)) throw badPlan(`${file.destination} has ${JSON.stringify(file.sha1)} for a SHA-1, expected 40 lower-case hex digits`);
  if ("bytes" in file.from && file.from.bytes.length !== file.size) throw sourceChanged(file, `${file.from.bytes.length} bytes`, `${file.size}`);
  if (file.wim !== undefined && file.wim.source.size !== file.size) throw sourceChanged(file, `${file.wim.source.size} bytes as an open WIM`, `${file.size}`);
}

/** The names a destination is made of. Throws PRESTAGE_WIM_UNSAFE_NAME for `..`, empty names and the like. */
export function destinationNames(destination: string): string[] {
  if (destination === "") return [];
  const names = destination.split("/");
  for (const name of names) refuseUnsafe(name, destination);
  return names;
}

/** A name that would leave its folder is never written, wherever it comes from. */
export function refuseUnsafe(name: string, path: string): void {
  const fault = nameFault(name, "linux");
  if (fault === "too-long" || fault === "unpaired-surrogate") return;
  if (fault !== undefined) throw new WimError("PRESTAGE_WIM_UNSAFE_NAME", `${JSON.stringify(path)} has the name ${JSON.stringify(name)}, which cannot be laid down (${fault}). Rename it at its source.`);
}

export function sourceChanged(file: FileSource, found: string, expected: string): WimError {
  return new WimError("PRESTAGE_WIM_SOURCE_CHANGED", `The source of ${file.destination} has ${found}, the plan says ${expected}. Import it again, or plan anew.`);
}

function badPlan(why: string): WimError {
  return new WimError("PRESTAGE_WIM_PLAN", `The build plan is not valid: ${why}.`);
}
