import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import { ContentError } from "../error.ts";
import { sha256Schema } from "../description/schema.ts";
import type { ContentIndex, OfferedPatches } from "../description/schema.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { fetchWhole } from "../fetch/fetch-description.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { patchFileNames } from "../patches/patch-index.ts";
import { pieceLayout, pieceSize, pieceWindow } from "./piece-layout.ts";
import type { PieceLayout } from "./piece-layout.ts";

/**
 * A pack of pieces lies where the patches from a version to itself would: `patch-ID.json.zst`, this, and `patch-ID.bin`. Whatever keeps, publishes or
 * offers patches does so with it; an agent that knows no pieces finds no list of patches there, and goes on without.
 */
export const pieceHeaderSchema = z.strictObject({
  format: z.literal("prestage-pieces-v1"),
  content: sha256Schema,
  pieceSize: z.literal(pieceSize),
  window: z.literal(pieceWindow),
  /** Of patch-ID.bin: its bytes and their SHA-256. */
  size: z.int().min(1),
  sha256: sha256Schema,
});
export type PieceHeader = z.infer<typeof pieceHeaderSchema>;

/** A header says little: a longer one is refused. */
const longestHeader = 64 * 1024;

/** Whether an offer is the version's pack of pieces, and no patches. */
export function isPieceOffer(offer: Pick<OfferedPatches, "from">, contentId: string): boolean {
  return offer.from === contentId;
}

export function packPieceHeader(header: PieceHeader): Buffer {
  return zstdCompressSync(JSON.stringify(header), { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}

/** Opens a header as received: of the hash the policy names, where it names one, and of this version. @throws ContentError PRESTAGE_CONTENT_PATCH_MALFORMED */
export function openPieceHeader(bytes: Uint8Array, expected: { contentId: string; sha256?: string }): PieceHeader {
  try {
    const found = createHash("sha256").update(bytes).digest("hex");
    if (expected.sha256 !== undefined && found !== expected.sha256) throw new RangeError(`SHA-256 ${found}, expected ${expected.sha256}`);
    const header = pieceHeaderSchema.parse(JSON.parse(zstdDecompressSync(bytes, { maxOutputLength: longestHeader }).toString("utf8")));
    if (header.content !== expected.contentId) throw new RangeError(`those of ${header.content}`);
    return header;
  } catch (cause) {
    throw new ContentError("PRESTAGE_CONTENT_PATCH_MALFORMED", `Expected the header of the pieces of ${expected.contentId}; found: ${cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)}. Use the other ways of fetching; have the site make the pieces again.`, { cause });
  }
}

/** A pack whose lists can be read. `fetched`: what that cost so far, the header too. */
export interface PiecePack { file: string; size: number; layout: PieceLayout; fetched: number; read(range: { start: number; end: number }): Promise<Buffer> }

/** The pack of a version as a distribution point has it; undefined where none is offered or can be had. */
export async function openPack(sources: readonly ContentSource[], contentId: string, index: ContentIndex, offered: readonly OfferedPatches[], options: FetchOptions): Promise<PiecePack | undefined> {
  const offer = offered.find((one) => isPieceOffer(one, contentId));
  if (offer === undefined) return undefined;
  const file = patchFileNames(contentId).data;
  const once: FetchOptions = { ...options, rounds: 1 };
  const header = await fetchWhole(sources, contentId, patchFileNames(contentId).index, (bytes) => openPieceHeader(bytes, { contentId, sha256: offer.indexSha256 }), { ...once, limit: offer.indexBytes }).catch(() => undefined);
  options.signal?.throwIfAborted();
  if (header === undefined) return undefined;
  const pack: PiecePack = {
    file, size: header.value.size, layout: pieceLayout(index), fetched: header.bytes.length,
    read: async (range) => {
      const reader = new ResumingReader(sources, contentId, file, range, once, (count) => void (pack.fetched += count));
      try {
        return Buffer.from(await reader.read(range.end - range.start));
      } finally {
        await reader.close();
      }
    },
  };
  return pack;
}

/** The same of a version in the library, for a plan on paper. */
export async function openStoredPack({ contentId, index, folder }: { contentId: string; index: ContentIndex; folder: string }, offered: readonly OfferedPatches[]): Promise<PiecePack | undefined> {
  const offer = offered.find((one) => isPieceOffer(one, contentId));
  if (offer === undefined) return undefined;
  const names = patchFileNames(contentId);
  const { size } = openPieceHeader(await readFile(join(folder, names.index)), { contentId, sha256: offer.indexSha256 });
  const pack: PiecePack = {
    file: names.data, size, layout: pieceLayout(index), fetched: offer.indexBytes,
    read: async ({ start, end }) => {
      const file = await open(join(folder, names.data), "r");
      try {
        const bytes = Buffer.alloc(end - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        pack.fetched += bytesRead;
        return bytes.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
  return pack;
}
