import { asBuffer } from "./bytes.ts";
import { WimError } from "./error.ts";
import { headerSize } from "./header.ts";
import type { WimHeader } from "./header.ts";
import { withHasher, type HashedWim, type ResourceHasher } from "./resource-hasher.ts";
import { inOrder } from "./in-order.ts";
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

export function integrityTableSize(digests: number): number {
  return 12 + 20 * digests;
}

export function serializeIntegrityTable(table: IntegrityTable): Buffer {
  const bytes = Buffer.alloc(integrityTableSize(table.digests.length));
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

/** Spans asked for before the first is done: enough for every thread. */
const ahead = 32;

/** Checks every span. Throws PRESTAGE_WIM_INTEGRITY naming the first bad span, PRESTAGE_WIM_INTEGRITY_MISSING without a table. */
export async function verifyIntegrity(wim: CoveredWim, options: VerifyOptions & { readonly hasher?: ResourceHasher } = {}): Promise<void> {
  const table = wim.integrity;
  if (table === undefined) throw new WimError("PRESTAGE_WIM_INTEGRITY_MISSING", "The WIM has no integrity table. Add one with: wimlib-imagex export IN all OUT.wim --check");
  const { spanSize } = table;
  const total = integrityEnd(wim) - headerSize;
  await withHasher(options, total, async (hasher) => {
    const hash = (span: number): Promise<string> => {
      const size = Math.min(total, (span + 1) * spanSize) - span * spanSize;
      return hasher.hash(plain(wim), { offset: headerSize + span * spanSize, size, storedSize: size, flags: 0 }, 0, size, "sha1");
    };
    await inOrder(table.digests.entries(), ahead, ([span]) => hash(span), ([span, expected], found) => {
      const from = span * spanSize;
      const to = Math.min(total, from + spanSize);
      if (found !== Buffer.from(expected).toString("hex")) {
        throw new WimError("PRESTAGE_WIM_INTEGRITY", `Integrity span ${span} (bytes ${headerSize + from} to ${headerSize + to}) has SHA-1 ${found}, expected ${Buffer.from(expected).toString("hex")}. The file is damaged; get it again from its source.`);
      }
      options.onProgress?.({ done: to, total });
    });
  });
}

/** The file as bytes. */
function plain({ source }: CoveredWim): HashedWim {
  const volume = { source, compression: "none", chunkSize: 0, pipable: false } as const;
  return { volume, chunkTable: async ({ offset, size }) => ({ chunkSize: size, offsets: [offset], sizes: [size] }) };
}

function badTable(why: string): WimError {
  return new WimError("PRESTAGE_WIM_INTEGRITY_TABLE", `The integrity table is damaged: ${why}. Get the file again from its source.`);
}
