import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { z } from "zod";
import { ChunkList, chunkRecordSize, longestChunk, parseChunkList } from "../description/chunking.ts";
import { ContentError } from "../error.ts";
import { largeFileChunking, sha256Schema } from "../description/schema.ts";

/** What a large file is made of: enough to make it out of an older one and what is fetched. */
export interface FileChunks { size: number; sha256: string; /** Records as in chunks.bin. */ list: Buffer }

const headerSchema = z.strictObject({ format: z.literal("prestage-file-chunks-v1"), chunking: z.literal(largeFileChunking), size: z.int().min(1), sha256: sha256Schema });
/** A file of 5 TB. */
const mostChunkFileBytes = 4 * 1024 ** 3;

/** Reads a file once: its hash and its chunks. */
export async function chunksOfFile(path: string, options: { signal?: AbortSignal; onProgress?: (event: { done: number; total: number }) => void } = {}): Promise<FileChunks> {
  const { size } = await stat(path);
  const hash = createHash("sha256");
  const chunks = new ChunkList(largeFileChunking);
  let done = 0;
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20, ...(options.signal && { signal: options.signal }) }) as AsyncIterable<Buffer>) {
    hash.update(bytes);
    chunks.update(bytes);
    options.onProgress?.({ done: (done += bytes.length), total: size });
  }
  return { size, sha256: hash.digest("hex"), list: chunks.digest() };
}

/** FILE.chunks: one line of JSON, then the records. */
export function encodeChunkFile({ size, sha256, list }: FileChunks): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ format: "prestage-file-chunks-v1", chunking: largeFileChunking, size, sha256 })}\n`), list]);
}

/** @throws ContentError PRESTAGE_CONTENT_CHUNK_FILE */
export function openChunkFile(bytes: Buffer): FileChunks {
  const end = bytes.subarray(0, 4096).indexOf(10);
  const malformed = (found: string, cause?: unknown) => new ContentError("PRESTAGE_CONTENT_CHUNK_FILE", `Expected a list of a file's chunks, as \`prestage media chunks\` writes it; found ${found}.`, cause === undefined ? undefined : { cause });
  if (bytes.length > mostChunkFileBytes) throw malformed(`${bytes.length} bytes`);
  let header: z.infer<typeof headerSchema>;
  try {
    header = headerSchema.parse(JSON.parse(bytes.subarray(0, Math.max(end, 0)).toString("utf8")));
  } catch (cause) {
    throw malformed("another beginning", cause);
  }
  const list = bytes.subarray(end + 1);
  if (list.length % chunkRecordSize !== 0) throw malformed("half a record at its end");
  let at = 0;
  for (const { length } of parseChunkList(list)) {
    if (length < 1 || length > longestChunk) throw malformed(`a chunk of ${length} bytes`);
    at += length;
  }
  if (at !== header.size) throw malformed(`chunks of ${at} bytes in all, for a file of ${header.size}`);
  return { size: header.size, sha256: header.sha256, list };
}
