import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { ChunkList, chunkings, chunkRecordSize } from "../description/chunking.ts";
import { spannedAbove, spanSize } from "../description/schema.ts";
import type { ChunkingName, IndexFile } from "../description/schema.ts";

/** What an index says of one file's bytes, and the chunk list it refers to (empty for small files). */
export interface DescribedBytes { file: Omit<IndexFile, "path" | "executable">; chunkList: Buffer }

/** Hashes a file's bytes in one pass: SHA-256, chunks where it is long enough for them, spans over 64 MiB. */
export async function describeBytes(size: number, bytes: AsyncIterable<Uint8Array>, options: { chunks?: ChunkingName }): Promise<DescribedBytes> {
  const whole = createHash("sha256");
  const chunks = options.chunks !== undefined && size > chunkings[options.chunks].above ? new ChunkList(options.chunks) : undefined;
  const spans = size > spannedAbove ? new SpanHashes() : undefined;
  let seen = 0;
  for await (const piece of bytes) {
    whole.update(piece);
    chunks?.update(piece);
    spans?.update(piece);
    seen += piece.length;
  }
  if (seen !== size) throw new RangeError(`expected ${size} bytes, found ${seen}`);
  const chunkList = chunks?.digest() ?? Buffer.alloc(0);
  return {
    file: {
      size,
      sha256: whole.digest("hex"),
      ...(chunks && { chunks: { count: chunkList.length / chunkRecordSize, sha256: createHash("sha256").update(chunkList).digest("hex") } }),
      ...(spans && { spans: spans.digest() }),
    },
    chunkList,
  };
}

/** SHA-256 of each 10,485,760 bytes from offset 0. */
class SpanHashes {
  #done: string[] = [];
  #current: Hash = createHash("sha256");
  #room = spanSize;

  update(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const take = Math.min(this.#room, bytes.length - offset);
      this.#current.update(bytes.subarray(offset, offset + take));
      this.#room -= take;
      offset += take;
      if (this.#room === 0) this.#next();
    }
  }

  digest(): string[] {
    if (this.#room < spanSize) this.#next();
    return this.#done;
  }

  #next(): void {
    this.#done.push(this.#current.digest("hex"));
    this.#current = createHash("sha256");
    this.#room = spanSize;
  }
}
