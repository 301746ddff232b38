import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { writeAtomically } from "./atomic-output.ts";
import { WimError } from "./error.ts";
import { checkRange, ioGuard, openFileSource, type RandomAccessSource } from "./source.ts";

/** `name.wim.001`, `name.wim.002` ...: the bytes of one file, cut at any place. 7-Zip opens them by the first, and `cat` joins them. */
const firstPiece = /\.001$/;
const most = 999;

export interface PieceOptions {
  readonly signal?: AbortSignal;
  /** Bytes. */
  readonly onProgress?: (event: { done: number; total: number }) => void;
}

/** Whether a path names the first of the pieces a file was cut into. */
export function isFirstPiece(path: string): boolean {
  return firstPiece.test(path);
}

function piecePath(first: string, number: number): string {
  return first.replace(firstPiece, `.${String(number).padStart(3, "0")}`);
}

/** A file, or the pieces of one by the path of the first, as one source. A piece that is missing makes it shorter than its header says: PRESTAGE_WIM_TRUNCATED. */
export async function openSource(path: string): Promise<RandomAccessSource> {
  if (!isFirstPiece(path)) return await openFileSource(path);
  const pieces: RandomAccessSource[] = [];
  try {
    for (let number = 1; number <= most && (number === 1 || (await exists(piecePath(path, number)))); number++) pieces.push(await openFileSource(piecePath(path, number)));
    const short = pieces.findIndex(({ size }, i) => i < pieces.length - 1 && size !== pieces[0]!.size);
    if (short >= 0) throw new WimError("PRESTAGE_WIM_SPLIT", `${piecePath(path, short + 1)} has ${pieces[short]!.size} bytes, the first piece has ${pieces[0]!.size}: they are not pieces of one file, or one was not copied whole. Copy them again.`);
    return joined(pieces);
  } catch (error) {
    for (const piece of pieces) await piece.close();
    throw error;
  }
}

function joined(pieces: readonly RandomAccessSource[]): RandomAccessSource {
  const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
  const pieceSize = pieces[0]?.size ?? 0;
  const readInto = async (target: Buffer, offset: number): Promise<void> => {
    checkRange(size, offset, target.length);
    for (let done = 0; done < target.length; ) {
      const number = Math.floor((offset + done) / pieceSize);
      const at = offset + done - number * pieceSize;
      const part = target.subarray(done, done + Math.min(target.length - done, pieces[number]!.size - at));
      await pieces[number]!.readInto?.(part, at);
      done += part.length;
    }
  };
  return {
    size, readInto,
    read: async (offset, length) => {
      checkRange(size, offset, length);
      const bytes = Buffer.allocUnsafeSlow(length);
      await readInto(bytes, offset);
      return bytes;
    },
    descriptorPaths: pieces.flatMap((piece) => piece.descriptorPaths ?? []),
    close: async () => {
      for (const piece of pieces) await piece.close();
    },
  };
}

/**
 * Cuts a file into pieces of at most `pieceSize` bytes, for a file system that holds no larger files: what is inside stays as it is, byte for byte, signed
 * media too. `firstPath` ends in `.001`. Throws PRESTAGE_WIM_PLAN where a piece of an older, longer set would be taken for one of this.
 */
export async function cutFile(path: string, firstPath: string, pieceSize: number, options: PieceOptions = {}): Promise<{ parts: { path: string; size: number }[] }> {
  if (!isFirstPiece(firstPath)) throw new WimError("PRESTAGE_WIM_PLAN", `Pieces were to be called ${basename(firstPath)}, expected a name that ends in .001.`);
  if (!Number.isSafeInteger(pieceSize) || pieceSize < 2 ** 16) throw new WimError("PRESTAGE_WIM_PLAN", `A piece size of ${pieceSize} bytes was asked for, expected at least 65536.`);
  const source = await openFileSource(path);
  try {
    const count = Math.max(1, Math.ceil(source.size / pieceSize));
    if (count > most) throw new WimError("PRESTAGE_WIM_PLAN", `${count} pieces would be needed, at most ${most} are possible. Make them larger.`);
    const next = piecePath(firstPath, count + 1);
    if (await exists(next)) throw new WimError("PRESTAGE_WIM_PLAN", `${next} is there already and would be taken for a piece of this file. Remove the older pieces, or choose another name.`);
    const parts: { path: string; size: number }[] = [];
    for (let i = 0; i < count; i++) {
      const size = Math.min(pieceSize, source.size - i * pieceSize);
      parts.push({ path: piecePath(firstPath, i + 1), size });
      await copyBytes(source, i * pieceSize, size, piecePath(firstPath, i + 1), options);
    }
    return { parts };
  } finally {
    await source.close();
  }
}

/** Joins pieces into the file they were cut from. */
export async function joinPieces(firstPath: string, output: string, options: PieceOptions = {}): Promise<{ size: number }> {
  const source = await openSource(firstPath);
  try {
    await copyBytes(source, 0, source.size, output, options);
    return { size: source.size };
  } finally {
    await source.close();
  }
}

async function copyBytes(source: RandomAccessSource, from: number, size: number, output: string, { signal, onProgress }: PieceOptions): Promise<void> {
  await writeAtomically(output, async (file) => {
    for (let done = 0; done < size; ) {
      signal?.throwIfAborted();
      const bytes = await source.read(from + done, Math.min(2 ** 20, size - done));
      await ioGuard(`Cannot write ${output}`, () => file.writeFile(bytes));
      done += bytes.length;
      onProgress?.({ done: from + done, total: source.size });
    }
  });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
