import { createHash } from "node:crypto";
import type { ResourceHasher, ResourceHeader, WimFile } from "@prestage/wim";
import { resourceFlags } from "@prestage/wim";
import { spanSize } from "./schema.ts";

/** How a file's bytes are stored, each kind with its own first byte, so that no two lists of files give one digest. */
const kinds = { plain: 0, compressed: 1, empty: 2, repeated: 3 } as const;
const compressions: Readonly<Record<string, number>> = { none: 0, xpress: 1, lzx: 2 };
/** Resources asked for at once. */
const atOnce = 1024;

/**
 * One SHA-256 over everything that decides what the files of an image decode to, in the order given: whether each is compressed and how, its size, and its
 * stored bytes by the SHA-256 of each 10,485,760 of them. Where they lie is no part of it: copied into another WIM as they are, it is the same.
 */
export async function storedDigest(wim: WimFile, hasher: ResourceHasher, files: readonly (ResourceHeader | undefined)[], onBytes: (bytes: number) => void = () => undefined): Promise<string> {
  const digest = createHash("sha256").update("prestage-stored-v1\n");
  const seen = new Map<string, number>();
  for (let first = 0; first < files.length; first += atOnce) {
    const records = files.slice(first, first + atOnce).map(async (resource, i) => {
      if (resource === undefined || resource.size === 0) return Buffer.of(kinds.empty);
      // All that says what is decoded: another resource told to be at the same offset is another.
      const place = [resource.offset, resource.storedSize, resource.size, resource.flags].join();
      const before = seen.get(place);
      if (before !== undefined) return repeated(before);
      seen.set(place, first + i);
      return await recordOf(wim, hasher, resource, onBytes);
    });
    for (const record of await Promise.all(records)) digest.update(record);
  }
  return digest.digest("hex");
}

function repeated(before: number): Buffer {
  const record = Buffer.alloc(5);
  record.writeUInt8(kinds.repeated);
  record.writeUInt32LE(before, 1);
  return record;
}

async function recordOf(wim: WimFile, hasher: ResourceHasher, resource: ResourceHeader, onBytes: (bytes: number) => void): Promise<Buffer> {
  const { flags, size, storedSize, offset } = resource;
  const compressed = (flags & resourceFlags.compressed) !== 0;
  const head = Buffer.alloc(22);
  head.writeUInt8(compressed ? kinds.compressed : kinds.plain);
  head.writeUInt8(compressed ? (compressions[wim.header.compression] ?? 255) : 0, 1);
  head.writeUInt32LE(compressed ? wim.header.chunkSize : 0, 2);
  head.writeBigUInt64LE(BigInt(size), 6);
  head.writeBigUInt64LE(BigInt(storedSize), 14);
  // The stored bytes themselves: as a resource that is not compressed.
  const stored: ResourceHeader = { ...resource, flags: 0, offset, size: storedSize };
  const spans = await Promise.all(Array.from({ length: Math.ceil(storedSize / spanSize) }, async (_, i) => await hasher.hash(wim, stored, i * spanSize, Math.min(storedSize, (i + 1) * spanSize), "sha256", onBytes)));
  return Buffer.concat([head, ...spans.map((span) => Buffer.from(span, "hex"))]);
}
