import { WimError } from "./error.ts";
import { HttpRange, type HttpFetch } from "./http-range.ts";
import { checkRange, type RandomAccessSource } from "./source.ts";

export interface HttpSourceOptions {
  /** By default Node's own. */
  readonly fetch?: HttpFetch;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes fetched and kept at a time; 16 KiB by default. */
  readonly blockSize?: number;
  /** Blocks kept; 256 by default. */
  readonly blocks?: number;
  readonly signal?: AbortSignal;
}

export interface HttpSource extends RandomAccessSource {
  /** What was fetched so far. */
  readonly traffic: { readonly requests: number; readonly bytes: number };
}

/**
 * A file on a web server, read by ranges (RFC 9110, 14). Neighbouring missing blocks are fetched in one request; a bounded
 * number of blocks is kept. A file that changes under way ends in PRESTAGE_WIM_HTTP_CHANGED, never in a mixture of both. Throws
 * PRESTAGE_WIM_HTTP, PRESTAGE_WIM_HTTP_NO_RANGE.
 */
export async function openHttpSource(url: string, options: HttpSourceOptions = {}): Promise<HttpSource> {
  const blockSize = options.blockSize ?? 2 ** 14;
  const range = new HttpRange(url, options);
  const first = await range.open(blockSize);
  return new BlockSource(range, first, { blockSize, blocks: options.blocks ?? 256 });
}

class BlockSource implements HttpSource {
  readonly size: number;
  private readonly range: HttpRange;
  private readonly blockSize: number;
  private readonly most: number;
  /** In the order they were used last, oldest first. */
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(range: HttpRange, first: Uint8Array, { blockSize, blocks }: { blockSize: number; blocks: number }) {
    this.range = range;
    this.size = range.size;
    this.blockSize = blockSize;
    this.most = Math.max(1, blocks);
    this.keep(0, first);
  }

  get traffic(): HttpSource["traffic"] {
    return { requests: this.range.requests, bytes: this.range.bytes };
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkRange(this.size, offset, length);
    // A long read would push everything else out.
    if (length > (this.most * this.blockSize) / 2) return await this.range.fetch(offset, length);
    const first = Math.floor(offset / this.blockSize);
    const end = Math.ceil((offset + length) / this.blockSize);
    const output = new Uint8Array(length);
    for (let block = first; block < end; ) {
      let stop = block;
      while (stop < end && !this.blocks.has(stop)) stop++;
      if (stop > block) await this.fetchBlocks(block, stop);
      const bytes = this.blocks.get(block);
      if (bytes === undefined) throw new WimError("PRESTAGE_WIM_HTTP", "A block that was fetched is gone. Try again.");
      this.keep(block, bytes);
      const base = block * this.blockSize;
      const part = bytes.subarray(Math.max(0, offset - base), Math.min(bytes.length, offset + length - base));
      output.set(part, Math.max(0, base - offset));
      block++;
    }
    return output;
  }

  async close(): Promise<void> {
    this.blocks.clear();
  }

  private async fetchBlocks(first: number, end: number): Promise<void> {
    const from = first * this.blockSize;
    const bytes = await this.range.fetch(from, Math.min(end * this.blockSize, this.size) - from);
    for (let block = first; block < end; block++) this.keep(block, bytes.slice((block - first) * this.blockSize, (block - first + 1) * this.blockSize));
  }

  private keep(block: number, bytes: Uint8Array): void {
    this.blocks.delete(block);
    this.blocks.set(block, bytes);
    for (const oldest of this.blocks.keys()) {
      if (this.blocks.size <= this.most) break;
      this.blocks.delete(oldest);
    }
  }
}
