import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { constants as zlib, createZstdDecompress } from "node:zlib";
import type { FilePatch, PatchPiece } from "./patch-index.ts";

/** A file to make by its patch. `base`: where the old file lies, its bytes checked when it was planned. */
export interface PlannedPatch { paths: string[]; patch: FilePatch; from: string; base: string; /** Payload bytes. */ bytes: number }

/** A window of 256 MiB, as the patches are made with. */
const windowLogMax = 28;

/** Decodes a piece into its place. True where the decoded bytes are the piece's; never writes behind its end. */
export async function decodePatchPiece(output: FileHandle, piece: PatchPiece, dictionary: Uint8Array, input: AsyncIterable<Uint8Array>): Promise<boolean> {
  const decoder = createZstdDecompress({ dictionary, params: { [zlib.ZSTD_d_windowLogMax]: windowLogMax } });
  const source = Readable.from(input, { objectMode: false });
  source.on("error", (cause) => decoder.destroy(cause));
  const hash = createHash("sha256");
  let at = 0;
  try {
    for await (const bytes of source.pipe(decoder) as AsyncIterable<Buffer>) {
      if (at + bytes.length > piece.length) return false;
      hash.update(bytes);
      await output.write(bytes, 0, bytes.length, piece.offset + at);
      at += bytes.length;
    }
  } catch {
    return false;
  } finally {
    source.destroy();
    decoder.destroy();
  }
  return at === piece.length && hash.digest("hex") === piece.sha256;
}

/** The pieces of a file that an earlier attempt has not made at `path`. */
export async function piecesToMake(path: string, patch: FilePatch): Promise<PatchPiece[]> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (file === undefined) return patch.pieces;
  try {
    const { size } = await file.stat();
    const open_: PatchPiece[] = [];
    for (const piece of patch.pieces) if (size < piece.offset + piece.length || (await sha256Of(file, piece.offset, piece.length)) !== piece.sha256) open_.push(piece);
    return open_;
  } finally {
    await file.close();
  }
}

/** SHA-256 of a range of a file, as far as the file has it. */
export async function sha256Of(file: FileHandle, offset: number, length: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(Math.min(1024 * 1024, length));
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), offset + at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/** The part of the old file a piece is made against. A bad sector must not end a deployment: undefined where it cannot be read. */
export async function readDictionary(base: string, { fromOffset, fromLength }: PatchPiece): Promise<Buffer | undefined> {
  const file = await open(base, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(fromLength);
    for (let at = 0; at < fromLength; ) {
      const bytesRead = await file.read(bytes, at, fromLength - at, fromOffset + at).then((result) => result.bytesRead, () => 0);
      if (bytesRead === 0) return undefined;
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
