import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { chunkRecordSize, longestChunk, parseChunkList } from "./chunking.ts";
import { spanSize } from "./schema.ts";
import type { ContentIndex, IndexFile } from "./schema.ts";

/** Bytes [offset, offset + length) of a file, and the first 16 or all 32 bytes of their SHA-256. */
export interface FilePiece { offset: number; length: number; digest: Buffer }

/** The chunk lists of a version's files, by path; `chunks` is its chunks.bin, checked against the index before. */
export function chunkListsOf(index: ContentIndex, chunks: Buffer): Map<string, Buffer> {
  const lists = new Map<string, Buffer>();
  let at = 0;
  for (const file of index.files) {
    if (file.chunks === undefined) continue;
    const end = at + file.chunks.count * chunkRecordSize;
    lists.set(file.path, chunks.subarray(at, end));
    at = end;
  }
  return lists;
}

/** The parts a file can be checked and fetched by: its chunks, or else its spans; undefined where it has neither, or they do not make up the file. */
export function piecesOf(file: IndexFile, chunkList: Buffer | undefined): FilePiece[] | undefined {
  const pieces = chunkList !== undefined ? parseChunkList(chunkList) : file.spans?.map((sha256, i) => ({ offset: i * spanSize, length: Math.min(spanSize, file.size - i * spanSize), digest: Buffer.from(sha256, "hex") }));
  const last = pieces?.at(-1);
  if (pieces === undefined || last === undefined || last.offset + last.length !== file.size) return undefined;
  // A piece is read into memory whole, and one without bytes proves nothing.
  return pieces.every(({ length }) => length > 0 && length <= (chunkList === undefined ? spanSize : longestChunk)) ? pieces : undefined;
}

/** Those of the pieces whose bytes in the file are not right; what lies behind its end is not. */
export async function wrongPieces<T extends FilePiece>(handle: FileHandle, pieces: readonly T[], signal?: AbortSignal): Promise<T[]> {
  const wrong: T[] = [];
  for (const piece of pieces) {
    signal?.throwIfAborted();
    if ((await readPiece(handle, piece)) === undefined) wrong.push(piece);
  }
  return wrong;
}

/** The piece's bytes, or undefined where they are not right. */
export async function readPiece(handle: FileHandle, piece: FilePiece, at = piece.offset): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(piece.length);
  // A bad sector must not end a repair: what can't be read is fetched.
  const bytesRead = await handle.read(bytes, 0, piece.length, at).then((result) => result.bytesRead, () => 0);
  return bytesRead === piece.length && matchesDigest(bytes, piece) ? bytes : undefined;
}

/** Whether these bytes are the piece's. */
export function matchesDigest(bytes: Uint8Array, { digest }: FilePiece): boolean {
  return createHash("sha256").update(bytes).digest().subarray(0, digest.length).equals(digest);
}
