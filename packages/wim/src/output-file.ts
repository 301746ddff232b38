import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { headerSize } from "./header.ts";
import { integritySpan } from "./integrity.ts";
import { ioGuard, type RandomAccessSource } from "./source.ts";
import { SpanHasher } from "./span-hasher.ts";

/**
 * Copies a range between two files inside the kernel (copy_file_range), sharing blocks where the file system can, front to back; `onBytes` is told what
 * was done since it was told last. false: not possible here, and nothing is promised about the target but what was told; the rest is then copied by read and write.
 */
export type CopyRange = (range: { from: string; fromOffset: number; to: string; toOffset: number; length: number }, signal?: AbortSignal, onBytes?: (bytes: number) => void) => Promise<boolean>;

export interface OutputOptions {
  readonly integrity: boolean;
  readonly copyRange: CopyRange | undefined;
  readonly signal: AbortSignal | undefined;
  /** Bytes copied since the last call. */
  readonly onCopied: (bytes: number) => void;
  /** Every byte between the header and this one is in the file. */
  readonly onReached?: (position: number) => void;
  /** The disk takes the file while it is written: worth it where the kernel does most of the copying. */
  readonly flushEarly?: boolean;
}

const pieceSize = 2 ** 18;
/** Shorter ranges are not worth a call outside. */
const leastRange = 2 ** 22;
const blockSize = 4096;
/** The disk is told to begin each time this much was written. */
const flushStep = 2 ** 26;

/** A WIM being written, front to back. */
export class OutputFile {
  position = headerSize;
  readonly spans: SpanHasher | undefined;
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly options: OutputOptions;
  private flushed = 0;
  private flushing = false;
  private copyRange: CopyRange | undefined;
  private readonly pieces = [Buffer.allocUnsafe(pieceSize), Buffer.allocUnsafe(pieceSize)];

  constructor(file: FileHandle, path: string, options: OutputOptions) {
    this.file = file;
    this.path = path;
    this.options = options;
    this.copyRange = options.copyRange;
    this.spans = options.integrity ? new SpanHasher() : undefined;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.spans?.feed(bytes);
    await this.writeAt(this.position, bytes);
    this.position += bytes.length;
  }

  /** Leaves a hole, which reads as zeros. */
  skipTo(position: number): void {
    this.spans?.feedZeros(position - this.position);
    this.position = position;
  }

  /**
   * Copies [from, from + length) of a source. `known` gives the digest of an output span that lies wholly inside; its bytes
   * need not be seen, unless `hash` wants them.
   */
  async copy(source: RandomAccessSource, from: number, length: number, known?: (span: number) => Uint8Array | undefined, hash?: Hash): Promise<void> {
    const shift = this.position - from;
    const end = this.position + length;
    const firstSpan = Math.ceil((this.position - headerSize) / integritySpan);
    const lastSpan = Math.floor((end - headerSize) / integritySpan);
    let knownEnd = this.position;
    let knownStart = end;
    for (let span = firstSpan; span < lastSpan && this.spans !== undefined && known !== undefined; span++) {
      const digest = known(span);
      if (digest === undefined) continue;
      this.spans.know(span, digest);
      knownStart = Math.min(knownStart, headerSize + span * integritySpan);
      knownEnd = headerSize + (span + 1) * integritySpan;
    }
    // Blocks can be shared only where both offsets are whole blocks: spans lie 208 bytes off.
    knownStart = Math.ceil(knownStart / blockSize) * blockSize;
    knownEnd = Math.floor(knownEnd / blockSize) * blockSize;
    const path = source.descriptorPath;
    if (hash === undefined && path !== undefined && this.copyRange !== undefined && knownEnd - knownStart >= leastRange) {
      await this.copySeen(source, this.position - shift, knownStart - this.position, undefined);
      await this.copyUnseen(path, knownStart - shift, knownEnd - knownStart);
    }
    await this.copySeen(source, this.position - shift, end - this.position, hash);
  }

  /** One range inside the kernel; once it is refused it is not tried again, and what is left is for the caller. */
  private async copyUnseen(path: string, from: number, length: number): Promise<void> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    const start = this.position;
    const moveOn = (bytes: number): void => {
      const step = Math.min(bytes, start + length - this.position);
      this.spans?.skip(step);
      this.moved(step);
    };
    const done = await this.copyRange?.({ from: path, fromOffset: from, to: this.path, toOffset: start, length }, signal, moveOn);
    if (done === true) moveOn(length);
    else this.copyRange = undefined;
  }

  /** Has the disk begin while there is more to write; what fails here fails again when all is made durable. */
  private async flush(): Promise<void> {
    this.flushing = true;
    this.flushed = this.position;
    await this.file.datasync().catch(() => {});
    this.flushing = false;
  }

  private moved(bytes: number): void {
    this.position += bytes;
    this.options.onCopied(bytes);
    this.options.onReached?.(this.position);
    if (this.options.flushEarly === true && this.position - this.flushed >= flushStep && !this.flushing) void this.flush();
  }

  /** Read and write through two buffers: the next piece is read while this one is hashed and written. */
  private async copySeen(source: RandomAccessSource, from: number, length: number, hash: Hash | undefined): Promise<void> {
    let [current, other] = this.pieces as [Buffer, Buffer];
    const read = (buffer: Buffer, done: number): Promise<Buffer> => {
      const piece = buffer.subarray(0, Math.min(pieceSize, length - done));
      return readPiece(source, piece, from + done);
    };
    let reading = length > 0 ? read(current, 0) : undefined;
    for (let done = 0; reading !== undefined; ) {
      const piece: Buffer = await reading;
      this.options.signal?.throwIfAborted();
      const next = done + piece.length;
      const writing = this.writeAt(this.position, piece);
      reading = next < length ? read(other, next) : undefined;
      hash?.update(piece);
      this.spans?.feed(piece);
      const settled = await Promise.allSettled([writing, reading]);
      for (const result of settled) if (result.status === "rejected") throw result.reason;
      this.moved(piece.length);
      done = next;
      [current, other] = [other, current];
    }
  }

  private async writeAt(position: number, bytes: Uint8Array): Promise<void> {
    await ioGuard(`Cannot write ${this.path}`, async () => {
      for (let done = 0; done < bytes.length; ) done += (await this.file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    });
  }

  /** Writes outside the sequence: the header. */
  async writeHeader(bytes: Uint8Array): Promise<void> {
    await this.writeAt(0, bytes);
  }

  /** Writes behind the hashed part: XML and the integrity table. */
  async appendUnhashed(bytes: Uint8Array): Promise<void> {
    await this.writeAt(this.position, bytes);
    this.position += bytes.length;
  }
}

async function readPiece(source: RandomAccessSource, target: Buffer, offset: number): Promise<Buffer> {
  if (source.readInto === undefined) target.set(await source.read(offset, target.length));
  else await source.readInto(target, offset);
  return target;
}
