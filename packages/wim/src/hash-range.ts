import { createHash } from "node:crypto";
import { decodeRange, type ResourceReader } from "./resource.ts";
import type { ReadOptions } from "./decode-chunks.ts";
import type { ResourceHeader } from "./resource-header.ts";

export type HashAlgorithm = "sha1" | "sha256";

export interface HashOptions extends ReadOptions {
  /** Decoded bytes since the last call. */
  readonly onBytes?: (bytes: number) => void;
}

/** The hash of decoded bytes [from, to) of a resource, as lower-case hex digits. */
export async function hashRange(reader: ResourceReader, resource: ResourceHeader, from: number, to: number, algorithm: HashAlgorithm, options: HashOptions = {}): Promise<string> {
  const hash = createHash(algorithm);
  for await (const piece of decodeRange(reader, resource, from, to, options)) {
    hash.update(piece);
    options.onBytes?.(piece.length);
  }
  return hash.digest("hex");
}
