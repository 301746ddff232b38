import { createHash } from "node:crypto";
import { asBuffer } from "./bytes.ts";
import { WimError } from "./error.ts";
import { headerSize } from "./header.ts";
import type { WimHeader } from "./header.ts";
import type { RandomAccessSource } from "./source.ts";

/** SHA-1 of each span of bytes [208, end of the blob table). */
export interface IntegrityTable {
  /** Bytes of a span; the last may be shorter. */
  readonly spanSize: number;
  readonly digests: Uint8Array[];
}

/** The span size every writer uses. */
export const integritySpan = 10_485_760;

/** `u32 size = 12 + 20 n | u32 n | u32 span | SHA-1[n]`. Throws PRESTAGE_WIM_INTEGRITY_TABLE. */
export function parseIntegrityTable(table: Uint8Array, end: number): IntegrityTable {
  const bytes = asBuffer(table);
  const count = bytes.readUInt32LE(4);
  const spanSize = bytes.readUInt32LE(8);
  if (bytes.readUInt32LE(0) !== bytes.length || bytes.length !== 12 + 20 * count) throw badTable(`it takes ${bytes.length} bytes and says it has ${count} digests`);
  const expected = spanSize === 0 ? -1 : Math.ceil((end - headerSize) / spanSize);
  if (count !== expected) throw badTable(`it has ${count} digests of ${spanSize} bytes each, expected ${expected}`);
  return { spanSize, digests: Array.from({ length: count }, (_, i) => Uint8Array.from(bytes.subarray(12 + 20 * i, 32 + 20 * i))) };
}

export function serializeIntegrityTable(table: IntegrityTable): Buffer {
  const bytes = Buffer.alloc(12 + 20 * table.digests.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(table.digests.length, 4);
  bytes.writeUInt32LE(table.spanSize, 8);
  for (const [i, digest] of table.digests.entries()) bytes.set(digest, 12 + 20 * i);
  return bytes;
}

export interface VerifyOptions {
  readonly signal?: AbortSignal;
  /** Bytes. */
  readonly onProgress?: (event: { done: number; total: number }) => void;
}

/** What of an open WIM these functions use. */
interface CoveredWim {
  readonly header: Pick<WimHeader, "blobTable">;
  readonly source: RandomAccessSource;
  readonly integrity: IntegrityTable | undefined;
}

/** Where the hashed bytes end: behind the blob table. */
export function integrityEnd(wim: Pick<CoveredWim, "header">): number {
  return wim.header.blobTable.offset + wim.header.blobTable.storedSize;
}

/** Checks every span. Throws PRESTAGE_WIM_INTEGRITY naming the first bad span, PRESTAGE_WIM_INTEGRITY_MISSING without a table. */
export async function verifyIntegrity(wim: CoveredWim, options: VerifyOptions = {}): Promise<void> {
  const table = wim.integrity;
  if (table === undefined) throw new WimError("PRESTAGE_WIM_INTEGRITY_MISSING", "The WIM has no integrity table. Add one with: wimlib-imagex export IN all OUT.wim --check");
  const total = integrityEnd(wim) - headerSize;
  for (const [span, expected] of table.digests.entries()) {
    const from = span * table.spanSize;
    const to = Math.min(total, from + table.spanSize);
    const hash = createHash("sha1");
    for (let at = from; at < to; at += 2 ** 20) {
      options.signal?.throwIfAborted();
      hash.update(await wim.source.read(headerSize + at, Math.min(2 ** 20, to - at)));
    }
    const found = hash.digest();
    if (!found.equals(expected)) {
      throw new WimError(
        "PRESTAGE_WIM_INTEGRITY",
        `Integrity span ${span} (bytes ${headerSize + from} to ${headerSize + to}) has SHA-1 ${found.toString("hex")}, expected ${Buffer.from(expected).toString("hex")}. The file is damaged; get it again from its source.`,
      );
    }
    options.onProgress?.({ done: to, total });
  }
}

function badTable(why: string): WimError {
  return new WimError("PRESTAGE_WIM_INTEGRITY_TABLE", `The integrity table is damaged: ${why}. Get the file again from its source.`);
}
