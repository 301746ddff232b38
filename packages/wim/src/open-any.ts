import { stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { BlobEntry } from "./blob-table.ts";
import type { AnyCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import { defaultWimLimits } from "./limits.ts";
import { readAnyPart, type WimPart } from "./read-parts.ts";
import { isFirstPiece, openSource } from "./pieces.ts";
import { openFileSource, type RandomAccessSource } from "./source.ts";
import { WimFile, type AnyWim, type OpenWimOptions } from "./wim-file.ts";

export interface OpenAnyWimOptions extends OpenWimOptions {
  /** WIMs that hold what a delta leaves out. They stay the caller's to close. */
  readonly references?: readonly AnyWim[];
}

/**
 * Opens a WIM of any form: LZMS, solid, pipable, split (all parts, in any order) or delta. Throws PRESTAGE_WIM_SPLIT when the
 * parts are not one complete set. The sources are closed by `close()`, or on failure.
 */
export async function openAnyWim(sources: RandomAccessSource | readonly RandomAccessSource[], options: OpenAnyWimOptions = {}): Promise<AnyWim> {
  return await openParts(isList(sources) ? sources : [sources], undefined, options);
}

/**
 * Opens a WIM file of any form. Of a split set any part may be named: the others are found beside it by their usual names
 * (`name.swm`, `name2.swm`, `name3.swm`). Sets under other names are given as a list. A file cut into pieces is named by the first (`name.wim.001`).
 */
export async function openAnyWimFile(path: string | readonly string[], options: OpenAnyWimOptions = {}): Promise<AnyWim> {
  const paths = typeof path === "string" ? await partPaths(path) : path;
  const sources: RandomAccessSource[] = [];
  try {
    for (const name of paths) sources.push(await openSource(name));
  } catch (error) {
    for (const source of sources) await source.close();
    throw error;
  }
  return await openParts(sources, paths[0], options);
}

function isList(sources: RandomAccessSource | readonly RandomAccessSource[]): sources is readonly RandomAccessSource[] {
  return Array.isArray(sources);
}

async function openParts(sources: readonly RandomAccessSource[], path: string | undefined, options: OpenAnyWimOptions): Promise<AnyWim> {
  const limits = { ...defaultWimLimits, ...options.limits };
  try {
    const parts: WimPart[] = [];
    for (const source of sources) parts.push(await readAnyPart(source, limits));
    parts.sort((a, b) => a.header.part - b.header.part);
    const first = checkSet(parts);
    const blobs = new Map<string, BlobEntry>();
    for (const { contents } of parts) for (const [sha1, blob] of contents.blobs) if (!blobs.has(sha1)) blobs.set(sha1, blob);
    const set: [WimPart, ...WimPart[]] = [first, ...parts.slice(1)];
    return new WimFile<AnyCompression>(path, { blobs, metadata: first.contents.metadata, xml: first.xml, parts: set, references: options.references ?? [] }, limits);
  } catch (error) {
    for (const source of sources) await source.close();
    throw error;
  }
}

/** The parts, sorted, must be 1 to n of one set. */
function checkSet(parts: readonly WimPart[]): WimPart {
  const first = parts[0];
  if (first === undefined) throw new WimError("PRESTAGE_WIM_SPLIT", "No part of a WIM was given.");
  const { guid, parts: total, compression, chunkSize } = first.header;
  for (const { header } of parts) {
    if (header.parts !== total || header.compression !== compression || header.chunkSize !== chunkSize || !Buffer.from(header.guid).equals(guid)) {
      throw new WimError("PRESTAGE_WIM_SPLIT", `Part ${header.part} belongs to another set than part ${first.header.part}. Give the parts of one set only.`);
    }
  }
  const numbers = parts.map(({ header }) => header.part);
  const doubled = numbers.find((number, i) => numbers[i - 1] === number);
  if (doubled !== undefined) throw new WimError("PRESTAGE_WIM_SPLIT", `Part ${doubled} of ${total} was given twice. Give each part once.`);
  const missing = Array.from({ length: total }, (_, i) => i + 1).filter((number) => !numbers.includes(number));
  if (missing.length > 0) throw new WimError("PRESTAGE_WIM_SPLIT", `Part ${missing.slice(0, 20).join(", ")} of ${total} is missing. Give all parts, or lay them beside each other under their usual names (name.swm, name2.swm ...).`);
  return first;
}

/** The paths of all parts beside the named one; only itself when it is not split. */
async function partPaths(path: string): Promise<string[]> {
  if (isFirstPiece(path)) return [path];
  const source = await openFileSource(path);
  let head: Buffer;
  try {
    if (source.size < 44) return [path];
    head = Buffer.from(await source.read(0, 44));
  } finally {
    await source.close();
  }
  const [part, total] = [head.readUInt16LE(40), head.readUInt16LE(42)];
  if (total < 2 || part === 0 || part > total) return [path];
  const extension = extname(path);
  const stem = basename(path, extension);
  const first = part > 1 && stem.endsWith(String(part)) ? stem.slice(0, -String(part).length) : stem;
  const names = Array.from({ length: total }, (_, i) => join(dirname(path), i + 1 === part ? basename(path) : `${first}${i === 0 ? "" : i + 1}${extension}`));
  const present: string[] = [];
  for (const name of names) if (await exists(name)) present.push(name);
  return present;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then((found) => found.isFile(), () => false);
}
