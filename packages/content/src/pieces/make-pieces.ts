import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { constants, createDeflateRaw } from "node:zlib";
import type { DeflateRaw } from "node:zlib";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { syncPath } from "../durable-files.ts";
import { ContentError } from "../error.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { resourcesBySha256 } from "../cache/image-resources.ts";
import { inImages } from "../image-delta/missing-data.ts";
import type { ContentLibrary } from "../library/content-library.ts";
import { offeredPatches } from "../patches/make-patches.ts";
import { patchFileNames } from "../patches/patch-index.ts";
import { flushEnd } from "./apply-pieces.ts";
import { blockRange, encodeBlock, pieceLayout, pieceSize, pieceWindow, piecesInBlock } from "./piece-layout.ts";
import type { PieceFile, PieceRecord } from "./piece-layout.ts";
import { packPieceHeader } from "./piece-pack.ts";
import { pieceCheck, rollingHash } from "./piece-search.ts";
import { openStoredWim } from "../library/single-instance/stored-source.ts";

export interface MakePiecesOptions {
  signal?: AbortSignal;
  /** Bytes the pack may take; where it would take more, none is kept. */
  spaceBytes?: number;
  /** Bytes of files done, of all in the pack. */
  onProgress?: (event: { done: number; total: number }) => void;
}

/**
 * Makes the pack of a version's pieces and keeps it beside the version: each of its files that is cut into chunks once more, as one deflate stream that is
 * flushed at every piece. The header is put into place last.
 * @throws ContentError PRESTAGE_CONTENT_NOT_FOUND, PRESTAGE_CONTENT_DAMAGED, PRESTAGE_CONTENT_PATCH_SPACE
 */
export async function makePieces(library: ContentLibrary, contentId: string, options: MakePiecesOptions = {}): Promise<OfferedPatches | undefined> {
  const version = await library.open(contentId);
  const layout = pieceLayout(version.index);
  if (layout.files.size === 0) return undefined;
  const work = await library.prepare();
  const wim = await openStoredWim(version);
  try {
    const names = patchFileNames(contentId);
    const resources = await resourcesBySha256(wim, inImages(version.index));
    const output = await open(join(work, names.data), "wx+", 0o644);
    let size = layout.dataAt;
    try {
      let done = 0;
      const total = [...layout.files.values()].reduce((sum, file) => sum + file.size, 0);
      for (const [sha256, file] of layout.files) {
        const resource = resources.get(sha256);
        if (resource?.size !== file.size) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected a file of SHA-256 ${sha256} and ${file.size} bytes in the stored WIM; found ${resource === undefined ? "none" : `${resource.size} bytes`}. Validate the content at the site.`);
        size = await packFile({ wim, resource, file, output, at: size, most: options.spaceBytes ?? Infinity }, options.signal);
        options.onProgress?.({ done: (done += file.size), total });
      }
      await output.sync();
    } finally {
      await output.close();
    }
    const sha256 = await sha256OfFile(join(work, names.data));
    await writeFile(join(work, names.index), packPieceHeader({ format: "prestage-pieces-v1", content: contentId, pieceSize, window: pieceWindow, size, sha256 }), { mode: 0o644 });
    await syncPath(join(work, names.index));
    for (const name of [names.data, names.index]) {
      await rename(join(work, name), join(version.folder, name));
      await syncPath(version.folder);
    }
    return await offeredPatches(library, contentId, contentId);
  } finally {
    await wim.close();
    await rm(work, { recursive: true, force: true });
  }
}

interface FileWork { wim: WimFile; resource: ResourceHeader; file: PieceFile; output: FileHandle; at: number; most: number }

/** Appends a file's pieces at `at`, and writes its list. Returns where they end. */
async function packFile({ wim, resource, file, output, at, most }: FileWork, signal: AbortSignal | undefined): Promise<number> {
  const stream = createDeflateRaw({ level: 9, memLevel: 9 });
  let block: Pick<PieceRecord, "storedSize" | "rolling" | "check">[] = [];
  let stored: Buffer[] = [];
  let [number, end] = [0, at];
  const flush = async () => {
    const bytes = Buffer.concat(stored);
    const list = encodeBlock(end, block);
    if (end + bytes.length > most) throw new ContentError("PRESTAGE_CONTENT_PATCH_SPACE", `Expected the pieces of this version to fit in ${most} bytes; they do not. Give patches more space (patchSpaceBytes), or revoke media whose versions nobody has any more.`);
    await output.write(bytes, 0, bytes.length, end);
    await output.write(list, 0, list.length, blockRange(file, Math.floor((number - 1) / piecesInBlock)).start);
    end += bytes.length;
    [block, stored] = [[], []];
  };
  try {
    for await (const piece of inPieces(wim.readResource(resource))) {
      signal?.throwIfAborted();
      const deflated = await deflatePiece(stream, piece);
      const bytes = deflated.length < piece.length ? deflated : piece;
      stored.push(bytes);
      block.push({ storedSize: bytes.length, rolling: piece.length === pieceSize ? rollingHash(piece) : 0, check: pieceCheck(piece) });
      if (++number % piecesInBlock === 0) await flush();
    }
    if (block.length > 0) await flush();
  } finally {
    stream.destroy();
  }
  return end;
}

/** What the stream gives for a piece, up to its flush, without the four bytes every flush ends with. */
async function deflatePiece(stream: DeflateRaw, piece: Buffer): Promise<Buffer> {
  await new Promise<void>((resolve, reject) => {
    stream.once("error", reject);
    stream.write(piece);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.off("error", reject);
      resolve();
    });
  });
  const parts: Buffer[] = [];
  for (let part = stream.read() as Buffer | null; part !== null; part = stream.read() as Buffer | null) parts.push(part);
  const bytes = Buffer.concat(parts);
  if (!bytes.subarray(-flushEnd.length).equals(flushEnd)) throw new RangeError("a flush of a deflate stream did not end as RFC 1951 has it");
  return bytes.subarray(0, -flushEnd.length);
}

async function* inPieces(data: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let held = Buffer.alloc(0);
  for await (const bytes of data) {
    held = Buffer.concat([held, bytes]);
    let at = 0;
    for (; at + pieceSize <= held.length; at += pieceSize) yield held.subarray(at, at + pieceSize);
    held = held.subarray(at);
  }
  if (held.length > 0) yield held;
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(bytes);
  return hash.digest("hex");
}
