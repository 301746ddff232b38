import type { ContentIndex, IndexFile } from "../description/schema.ts";

/** Bytes of a file each piece has; the last one of a file may have fewer. */
export const pieceSize = 1024;
/** A piece is decoded with as many bytes of the file before it as its dictionary: all that a deflate stream can reach back (RFC 1951). */
export const pieceWindow = 32_768;
/** Of a record: u16 stored size; u32 rolling hash and the first two bytes of the SHA-256 of the piece. Little-endian. */
const recordSize = 8;
/** Records come in blocks: u48 where in the pack the first piece of the block lies, then a record for each. */
const blockHeader = 6;
const blockPieces = 32;
const blockSize = blockHeader + blockPieces * recordSize;

/** Bytes [offset, offset + length) of a file; they lie in `storedSize` bytes of the pack at `at`, raw where that is their length. */
export interface PieceRecord { offset: number; length: number; at: number; storedSize: number; rolling: number; check: number }
/** A file of the pack: where its list lies in it, and how many pieces it has. */
export interface PieceFile { size: number; count: number; listAt: number }
/** Where the lists of a version's pack lie, by SHA-256 of the file, and where its data begin. The index alone says it: every file that is cut into chunks, once. */
export interface PieceLayout { files: ReadonlyMap<string, PieceFile>; dataAt: number }

export function pieceLayout(index: ContentIndex): PieceLayout {
  const files = new Map<string, PieceFile>();
  let dataAt = 0;
  for (const { sha256, size } of filesInPieces(index)) {
    if (files.has(sha256)) continue;
    const count = Math.ceil(size / pieceSize);
    files.set(sha256, { size, count, listAt: dataAt });
    dataAt += Math.ceil(count / blockPieces) * blockHeader + count * recordSize;
  }
  return { files, dataAt };
}

/** Of an OS image the files inside it. */
function filesInPieces(index: ContentIndex): IndexFile[] {
  const files = index.shape === "files" ? index.files : (index.images ?? []).flatMap((image) => image.files);
  return files.filter((file) => file.chunks !== undefined);
}

/** The block a piece's record is in. */
export function blockOf(piece: number): number {
  return Math.floor(piece / blockPieces);
}

/** Where a block of a file's list lies in the pack. */
export function blockRange({ count, listAt }: PieceFile, block: number): { start: number; end: number } {
  const start = listAt + block * blockSize;
  return { start, end: start + blockHeader + Math.min(blockPieces, count - block * blockPieces) * recordSize };
}

/** What the records of so many pieces take. */
export function listBytes(pieces: number): number {
  return pieces * recordSize;
}

/** A block of a file's list; the lengths and hashes are those of its pieces in order. */
export function encodeBlock(at: number, pieces: readonly Pick<PieceRecord, "storedSize" | "rolling" | "check">[]): Buffer {
  const bytes = Buffer.alloc(blockHeader + pieces.length * recordSize);
  bytes.writeUIntLE(at, 0, 6);
  for (const [i, { storedSize, rolling, check }] of pieces.entries()) {
    const to = blockHeader + i * recordSize;
    bytes.writeUInt16LE(storedSize, to);
    bytes.writeUInt32LE(rolling, to + 2);
    bytes.writeUInt16LE(check, to + 6);
  }
  return bytes;
}

export const piecesInBlock = blockPieces;

/** A block as received: nothing binds its bytes, so each piece is only taken for what it says where it lies in the pack. Undefined where one does not. */
export function parseBlock(bytes: Buffer, file: PieceFile, block: number, pack: { dataAt: number; size: number }): PieceRecord[] | undefined {
  const records: PieceRecord[] = [];
  let at = bytes.readUIntLE(0, 6);
  if (at < pack.dataAt) return undefined;
  for (let from = blockHeader, offset = block * blockPieces * pieceSize; from + recordSize <= bytes.length; from += recordSize, offset += pieceSize) {
    const storedSize = bytes.readUInt16LE(from);
    const length = Math.min(pieceSize, file.size - offset);
    if (storedSize < 1 || storedSize > length || at + storedSize > pack.size) return undefined;
    records.push({ offset, length, at, storedSize, rolling: bytes.readUInt32LE(from + 2), check: bytes.readUInt16LE(from + 6) });
    at += storedSize;
  }
  return records;
}
