import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { constants } from "node:fs";
import { lstat, open, rename, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { FilePiece } from "@prestage/content";
import type { OpenMedia } from "@prestage/media";
import { StagingError } from "../error.ts";
import type { DiskPieces } from "./disk-pieces.ts";
import type { WantedFile } from "./wanted-files.ts";

/** Read from the media at a time, in bytes. */
const stride = 4 << 20;

type Disk = Pick<DiskPieces, "pathOf" | "read" | "piece">;
type Media = Pick<OpenMedia, "read">;

export interface MakeOptions { signal?: AbortSignal | undefined; onBytes: (count: number) => void }

/**
 * Puts the files together in a folder, each under its SHA-256: from the disk what it holds, from the media the rest. What an
 * earlier attempt left in the folder is gone on with. Returns how many bytes came from the disk.
 * @throws StagingError PRESTAGE_STAGING_MEDIA_DAMAGED, WimError
 */
export async function makeFiles(wanted: readonly WantedFile[], media: Media, disk: Disk, folder: string, options: MakeOptions): Promise<number> {
  let reused = 0;
  for (const file of wanted) {
    options.signal?.throwIfAborted();
    const path = join(folder, file.sha256);
    if ((await stat(path).catch(() => undefined))?.size === file.size && (await hashOf(path)) === file.sha256) {
      options.onBytes(file.size);
      continue;
    }
    const handle = await open(`${path}.partial`, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      await handle.truncate(file.size);
      reused += await fill(handle, file, media, disk, options);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const found = await hashOf(`${path}.partial`);
    if (found !== file.sha256) throw new StagingError("PRESTAGE_STAGING_MEDIA_DAMAGED", `Expected /${file.path} with SHA-256 ${file.sha256}; the media has ${found}. Get the media again and compare its .sha256.`);
    await rename(`${path}.partial`, path);
  }
  return reused;
}

/** What the folder still has to take, in bytes, of files of which an earlier attempt may have left some there, or a part. */
export async function bytesToMake(wanted: readonly WantedFile[], folder: string): Promise<number> {
  let bytes = 0;
  for (const [sha256, size] of new Map(wanted.map((one) => [one.sha256, one.size]))) {
    const found = await Promise.all([sha256, `${sha256}.partial`].map((name) => lstat(join(folder, name)).catch(() => undefined)));
    // A file that was begun has its full length and holes.
    bytes += Math.max(0, size - Math.max(...found.map((one) => (one?.blocks ?? 0) * 512)));
  }
  return bytes;
}

async function fill(handle: FileHandle, file: WantedFile, media: Media, disk: Disk, options: MakeOptions): Promise<number> {
  if (file.bytes !== undefined) {
    await handle.write(file.bytes, 0, file.bytes.length, 0);
    options.onBytes(file.size);
    return 0;
  }
  const same = disk.pathOf(file.sha256);
  if (same !== undefined && (await copyFromDisk(handle, file, same, disk, options))) return file.size;
  const pieces = file.pieces ?? [];
  const missing: { offset: number; length: number }[] = pieces.length === 0 && file.size > 0 ? [{ offset: 0, length: file.size }] : [];
  let reused = 0;
  for (const piece of pieces) {
    options.signal?.throwIfAborted();
    if (await isRight(handle, piece)) options.onBytes(piece.length);
    else {
      const bytes = await disk.piece(piece);
      if (bytes !== undefined) {
        await handle.write(bytes, 0, bytes.length, piece.offset);
        options.onBytes(bytes.length);
        reused += bytes.length;
        continue;
      }
      const last = missing.at(-1);
      if (last !== undefined && last.offset + last.length === piece.offset) last.length += piece.length;
      else missing.push({ offset: piece.offset, length: piece.length });
    }
  }
  for (const { offset, length } of missing) {
    for (let at = offset; at < offset + length; at += stride) {
      options.signal?.throwIfAborted();
      const bytes = await media.read(file.volume, file.path, at, Math.min(stride, offset + length - at));
      await handle.write(bytes, 0, bytes.length, at);
      options.onBytes(bytes.length);
    }
  }
  return reused;
}

/** False where the file on the disk is not what its index promised, or cannot be read. */
async function copyFromDisk(handle: FileHandle, file: WantedFile, path: string, disk: Disk, options: MakeOptions): Promise<boolean> {
  const hash = createHash("sha256");
  let at = 0;
  const parts = disk.read(path);
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      const next = await parts.next().catch(() => undefined); // a bad sector: the media has the file
      if (next === undefined) return false;
      if (next.done === true) break;
      hash.update(next.value);
      await handle.write(next.value, 0, next.value.length, at);
      at += next.value.length;
    }
  } finally {
    await parts.return(undefined).catch(() => undefined);
  }
  if (hash.digest("hex") !== file.sha256) return false;
  options.onBytes(file.size);
  return true;
}

async function isRight(handle: FileHandle, { offset, length, digest }: FilePiece): Promise<boolean> {
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, offset);
  return createHash("sha256").update(bytes).digest().subarray(0, digest.length).equals(digest);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(part);
  return hash.digest("hex");
}
