import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { asBuffer } from "./bytes.ts";
import type { ReadOptions } from "./decode-chunks.ts";
import { storedHashes, symlinkTag, type WimEntry } from "./entry.ts";
import { guarded, WimError } from "./error.ts";
import type { VerifyOptions } from "./integrity.ts";
import { walkEntries } from "./metadata.ts";
import { inOrder } from "./in-order.ts";
import { withHasher, type ResourceHasher } from "./resource-hasher.ts";
import { ioGuard } from "./source.ts";
import { inStorageOrder } from "./storage-order.ts";
import type { AnyWim } from "./wim-file.ts";

/**
 * The bytes of a blob. The last piece is followed by the check of its SHA-1: use nothing before the end is reached.
 * Throws PRESTAGE_WIM_BLOB_MISSING, PRESTAGE_WIM_BLOB_HASH.
 */
export async function* readBlob(wim: AnyWim, sha1: string, options?: ReadOptions): AsyncGenerator<Uint8Array> {
  const { resource } = wim.blob(sha1);
  const hash = createHash("sha1");
  for await (const piece of wim.readResource(resource, options)) {
    hash.update(piece);
    yield piece;
  }
  const found = hash.digest("hex");
  if (found !== sha1) throw wrongHash(resource.offset, found, sha1);
}

/** The unnamed data of a file, checked as `readBlob` does. Throws PRESTAGE_WIM_NO_DATA for directories and links. */
export async function* readEntryData(wim: AnyWim, entry: WimEntry, options?: ReadOptions): AsyncGenerator<Uint8Array> {
  if (entry.sha1 !== undefined) yield* readBlob(wim, entry.sha1, options);
  else if (entry.isDirectory || entry.reparseTag !== undefined) throw new WimError("PRESTAGE_WIM_NO_DATA", `${JSON.stringify(entry.name)} is a directory or a link and has no data.`);
}

/** Writes the data of a file to a new file; an existing one is refused, a half-written one removed. */
export async function extractEntry(wim: AnyWim, entry: WimEntry, path: string, options?: ReadOptions): Promise<void> {
  const data = readEntryData(wim, entry, options);
  const file = await ioGuard(`Cannot make ${path}`, () => open(path, "wx"));
  try {
    for await (const piece of data) await ioGuard(`Cannot write ${path}`, () => file.writeFile(piece));
    await ioGuard(`Cannot write ${path}`, () => file.sync());
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

const maxReparseData = 16384;

/** Where a symbolic link points, in Linux spelling; undefined when the entry is not one. */
export async function readLinkTarget(wim: AnyWim, entry: WimEntry): Promise<string | undefined> {
  if (entry.reparseTag !== symlinkTag || entry.reparseSha1 === undefined) return undefined;
  const { resource } = wim.blob(entry.reparseSha1);
  if (resource.size > maxReparseData) throw new WimError("PRESTAGE_WIM_LIMIT", `The link ${JSON.stringify(entry.name)} has ${resource.size} bytes of reparse data, at most ${maxReparseData} are allowed.`);
  const bytes = asBuffer(await wim.readResourceRange(resource, 0, resource.size));
  return guarded("PRESTAGE_WIM_METADATA", `The link ${JSON.stringify(entry.name)}`, () => parseLinkTarget(bytes));
}

/** `u16 substitute offset, length, print offset, length | u32 flags (1 relative) | names` ([MS-FSCC] 2.1.2.4). */
function parseLinkTarget(bytes: Buffer): string {
  const start = 12 + bytes.readUInt16LE(0);
  const end = start + bytes.readUInt16LE(2);
  if (end > bytes.length) throw new RangeError("name past the end");
  const target = bytes.toString("utf16le", start, end);
  const relative = (bytes.readUInt32LE(8) & 1) !== 0;
  const local = relative ? target : target.replace(/^\\\?\?\\(?:[A-Za-z]:)?/, "");
  // A Linux name may hold a backslash: wimlib stores the two swapped.
  return local.replaceAll(/[\\/]/g, (character) => (character === "\\" ? "/" : "\\"));
}

/** Blobs asked for before the first is done: small ones are handed to a thread by hundreds. */
const ahead = 1024;

/**
 * Checks the SHA-1 of every blob, in several threads where it is worth it, and that no image names one that is missing. Progress counts decoded bytes. Throws
 * PRESTAGE_WIM_BLOB_HASH, PRESTAGE_WIM_BLOB_MISSING.
 */
export async function verifyBlobs(wim: AnyWim, options: VerifyOptions & { readonly hasher?: ResourceHasher } = {}): Promise<void> {
  for (let index = 1; index <= wim.imageCount; index++) {
    options.signal?.throwIfAborted();
    const image = await wim.readImage(index);
    for (const sha1 of storedHashes(asBuffer(image.root.raw))) wim.blob(sha1);
    for (const { entry } of walkEntries(image)) for (const sha1 of storedHashes(asBuffer(entry.raw))) wim.blob(sha1);
  }
  const blobs = inStorageOrder(wim.blobs.values());
  const total = blobs.reduce((sum, blob) => sum + blob.resource.size, 0);
  let done = 0;
  const count = (bytes: number): void => options.onProgress?.({ done: (done += bytes), total });
  await withHasher(options, total, async (hasher) => {
    await inOrder(blobs, ahead, ({ resource }) => hasher.hash(wim, resource, 0, resource.size, "sha1", count), ({ sha1, resource }, found) => {
      if (found !== sha1) throw wrongHash(resource.offset, found, sha1);
    });
  });
}

export function wrongHash(offset: number, found: string, expected: string): WimError {
  return new WimError("PRESTAGE_WIM_BLOB_HASH", `Data at byte ${offset} have SHA-1 ${found}, expected ${expected}. The file is damaged; get it again from its source.`);
}
