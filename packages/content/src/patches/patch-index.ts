import { createHash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import { ContentError } from "../error.ts";
import { maximumPatchIndexBytes, sha256Schema } from "../description/schema.ts";

/** A piece is decoded with its part of the old file and its own bytes in memory: neither is longer than this. */
export const longestPatchWindow = 128 * 1024 * 1024;
/** A packed list unpacks to at most this. */
const longestPatchIndex = 512 * 1024 * 1024;

/**
 * A zstd frame that makes bytes [offset, offset + length) of the new file out of bytes [fromOffset, fromOffset + fromLength)
 * of the old one (RFC 8878, with these as the raw dictionary). It lies at `at` in the patches' file.
 */
export const patchPieceSchema = z.strictObject({
  offset: z.int().min(0),
  length: z.int().min(1).max(longestPatchWindow),
  sha256: sha256Schema,
  fromOffset: z.int().min(0),
  fromLength: z.int().min(0).max(longestPatchWindow),
  at: z.int().min(0),
  storedSize: z.int().min(1).max(2 * longestPatchWindow),
});
export type PatchPiece = z.infer<typeof patchPieceSchema>;

export const filePatchSchema = z.strictObject({
  /** Of the new file. */
  sha256: sha256Schema,
  size: z.int().min(1),
  from: z.strictObject({ sha256: sha256Schema, size: z.int().min(1) }),
  pieces: z.array(patchPieceSchema).min(1).max(100_000),
});
export type FilePatch = z.infer<typeof filePatchSchema>;

/** patch-FROM.json.zst beside the new version, one zstd frame of JSON: every patch from one version to another. Bound by the packed bytes' hash in the signed policy. */
export const patchIndexSchema = z.strictObject({
  format: z.literal("prestage-patches-v1"),
  from: sha256Schema,
  to: sha256Schema,
  /** Bytes of patch-FROM.bin. */
  size: z.int().min(0),
  files: z.array(filePatchSchema).max(1_000_000),
});
export type PatchIndex = z.infer<typeof patchIndexSchema>;

/** Names of the two files beside the new version that hold the patches from an old one. */
export function patchFileNames(from: string): { index: string; data: string } {
  return { index: `patch-${sha256Schema.parse(from)}.json.zst`, data: `patch-${sha256Schema.parse(from)}.bin` };
}

/** The list as it is kept and fetched; the same bytes for the same patches. */
export function packPatchIndex(index: PatchIndex): Buffer {
  return zstdCompressSync(JSON.stringify(index), { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}

/**
 * Opens a list of patches as received: of the hash the policy names, between these versions, each file made up by its pieces.
 * @throws ContentError PRESTAGE_CONTENT_PATCH_MALFORMED
 */
export function openPatchIndex(bytes: Uint8Array, expected: { from: string; to: string; sha256?: string }): PatchIndex {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (expected.sha256 !== undefined && found !== expected.sha256) throw malformed(`a list of patches whose SHA-256 is ${expected.sha256}; found ${found}`);
  if (bytes.byteLength > maximumPatchIndexBytes) throw malformed(`a list of patches of at most ${maximumPatchIndexBytes} bytes; found ${bytes.byteLength}`);
  let index: PatchIndex;
  try {
    index = patchIndexSchema.parse(JSON.parse(zstdDecompressSync(bytes, { maxOutputLength: longestPatchIndex }).toString("utf8")));
  } catch (cause) {
    throw malformed(`a list of patches of format version 1; found: ${cause instanceof z.ZodError ? z.prettifyError(cause) : "bytes that are no packed JSON"}`, cause);
  }
  if (index.from !== expected.from || index.to !== expected.to) throw malformed(`patches from ${expected.from} to ${expected.to}; found those from ${index.from} to ${index.to}`);
  for (const file of index.files) checkPieces(file, index.size);
  return index;
}

function checkPieces(file: FilePatch, size: number): void {
  let end = 0;
  for (const piece of file.pieces) {
    if (piece.offset !== end || piece.at + piece.storedSize > size || piece.fromOffset + piece.fromLength > file.from.size) throw malformed(`the pieces of ${file.sha256} in order and inside their files; found one at ${piece.offset}`);
    end += piece.length;
  }
  if (end !== file.size) throw malformed(`pieces for all ${file.size} bytes of ${file.sha256}; found ${end}`);
}

function malformed(text: string, cause?: unknown): ContentError {
  return new ContentError("PRESTAGE_CONTENT_PATCH_MALFORMED", `Expected ${text}. Use the other ways of fetching; have the site make the patches again.`, cause === undefined ? undefined : { cause });
}
