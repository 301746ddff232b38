import { createHash, type Hash } from "node:crypto";
import { decodeRange, type ResourceReader } from "./resource.ts";
import type { ReadOptions } from "./decode-chunks.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import { checkRange, type RandomAccessSource } from "./source.ts";

export type HashAlgorithm = "sha1" | "sha256";

export interface HashOptions extends ReadOptions {
  /** Decoded bytes since the last call. */
  readonly onBytes?: (bytes: number) => void;
}

/** The hash of decoded bytes [from, to) of a resource, as lower-case hex digits. */
export async function hashRange(reader: ResourceReader, resource: ResourceHeader, from: number, to: number, algorithm: HashAlgorithm, options: HashOptions = {}): Promise<string> {
  const hash = createHash(algorithm);
  const source = (resource.place?.volume ?? reader.volume).source;
  if ((resource.flags & resourceFlags.compressed) === 0 && resource.place?.solid === undefined && resource.size === resource.storedSize && source.readInto !== undefined) {
    checkRange(resource.size, from, to - from);
    await hashStored(source, resource.offset + from, resource.offset + to, hash, options);
    return hash.digest("hex");
  }
  for await (const piece of decodeRange(reader, resource, from, to, options)) {
    hash.update(piece);
    options.onBytes?.(piece.length);
  }
  return hash.digest("hex");
}

const pieceBytes = 2 ** 20;

/** Bytes as they lie in the file, through one buffer: to ask for a new one each time takes half as long as hashing. */
async function hashStored(source: RandomAccessSource, start: number, end: number, hash: Hash, { onBytes, signal }: HashOptions): Promise<void> {
  checkRange(source.size, start, end - start);
  const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - start));
  for (let at = start; at < end; ) {
    signal?.throwIfAborted();
    const piece = buffer.subarray(0, Math.min(pieceBytes, end - at));
    await source.readInto?.(piece, at);
    hash.update(piece);
    at += piece.length;
    onBytes?.(piece.length);
  }
}
