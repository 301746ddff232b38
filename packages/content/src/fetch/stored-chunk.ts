import { decompressLzxChunk, decompressXpressChunk } from "@prestage/wim";
import type { StoredFile } from "../description/schema.ts";

/**
 * Decodes one stored chunk to `size` bytes; a chunk as long as its output is stored raw ([MS-WIM], "Compressed resource").
 * @throws Error where the chunk does not decode
 */
export function decodeStoredChunk(stored: StoredFile, input: Uint8Array, size: number): Uint8Array {
  if (input.length === size) return input;
  return stored.compression === "lzx" ? decompressLzxChunk(input, size, stored.chunkSize) : decompressXpressChunk(input, size);
}

/** Bytes that came are not the ones asked for: their source is not asked again. */
export class WrongBytes extends Error {
  /** True where a part of the file came from an earlier attempt: then it may be that part which is wrong. */
  readonly resumed: boolean;
  constructor(message: string, resumed: boolean, options?: ErrorOptions) {
    super(message, options);
    this.resumed = resumed;
  }
}
