import type { FileHandle } from "node:fs/promises";
import { asBuffer } from "./bytes.ts";
import { ioGuard } from "./source.ts";

const blockSize = 65536;
const zeros = Buffer.alloc(blockSize);

/** Writes to a new file; blocks of 64 KiB that are all zeros become holes. */
export async function writeSparse(file: FileHandle, what: string, pieces: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): Promise<void> {
  let position = 0;
  let written = 0;
  for await (const piece of pieces) {
    const bytes = asBuffer(piece);
    for (let at = 0; at < bytes.length; ) {
      let end = at;
      while (end < bytes.length && !isHole(bytes, end)) end = Math.min(bytes.length, end + blockSize);
      for (let done = at; done < end; ) {
        const { bytesWritten } = await ioGuard(`Cannot write ${what}`, () => file.write(bytes, done, end - done, position + done));
        done += bytesWritten;
        written = position + done;
      }
      at = end;
      while (at < bytes.length && isHole(bytes, at)) at += blockSize;
    }
    position += bytes.length;
    onBytes(bytes.length);
  }
  if (written < position) await ioGuard(`Cannot write ${what}`, () => file.truncate(position));
}

function isHole(bytes: Buffer, at: number): boolean {
  return at + blockSize <= bytes.length && bytes[at] === 0 && bytes.compare(zeros, 0, blockSize, at, at + blockSize) === 0;
}
