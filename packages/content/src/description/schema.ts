import { z } from "zod";

/** A content id or any other SHA-256: 64 lower-case hex digits. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits");

/** Files longer than this also carry the SHA-256 of each span, so that verifying uses every core and names the bad span. */
export const spannedAbove = 64 * 1024 * 1024;
export const spanSize = 10_485_760;
/** How files are cut into content-defined chunks: gear hash, 8 KiB on average in files above 64 KiB; the older one 32 KiB in those above 256 KiB. */
export const chunkingNames = ["prestage-gear-8k-v1", "prestage-gear-32k-v1"] as const;
export type ChunkingName = (typeof chunkingNames)[number];
/** How what is imported now is cut. */
export const chunkingName = "prestage-gear-8k-v1";
/** How single large files are cut, image.wim and media, whatever their index names: their lists are fetched whole, for a few tables of them. */
export const largeFileChunking = "prestage-gear-32k-v1";

/** One file of a content version, or of an image in it. Sizes in bytes. */
export const indexFileSchema = z.strictObject({
  /** Relative, `/` between parts, checked by `checkRelativePath`. */
  path: z.string().min(1).max(4096),
  size: z.int().min(0),
  sha256: sha256Schema,
  executable: z.literal(true).optional(),
  /** Files over 64 KiB (256 KiB by the older chunking): how many chunks, and the SHA-256 of their list in chunks.bin. */
  chunks: z.strictObject({ count: z.int().min(1), sha256: sha256Schema }).optional(),
  /** Files over 64 MiB: SHA-256 of each 10,485,760 bytes from offset 0. */
  spans: z.array(sha256Schema).optional(),
});
export type IndexFile = z.infer<typeof indexFileSchema>;

/** The first level of a content version's index (design.md section 4). Its canonical bytes' SHA-256 is the content id. */
export const contentIndexSchema = z.strictObject({
  format: z.literal("prestage-content-v1"),
  /** `files`: the stored WIM's image 1 is the tree. `image`: the one file image.wim is the stored WIM itself. */
  shape: z.enum(["files", "image"]),
  chunking: z.enum(chunkingNames),
  /** Directories that hold no file, and all their parents' paths are implied. */
  directories: z.array(z.string().min(1).max(4096)).max(1_000_000),
  files: z.array(indexFileSchema).max(1_000_000),
  /** Of shape `image`: the files in each image of image.wim. */
  images: z.array(z.strictObject({ index: z.int().min(1), name: z.string().max(1000), files: z.array(indexFileSchema).max(2_000_000) })).max(1000).optional(),
});
export type ContentIndex = z.infer<typeof contentIndexSchema>;

/** Where a file's bytes lie in the stored WIM: any range of raw bytes maps to a range of it. */
export const storedFileSchema = z.strictObject({
  path: z.string().min(1).max(4096),
  /** Bytes [offset, offset + storedSize) of content.wim. */
  offset: z.int().min(0),
  storedSize: z.int().min(0),
  size: z.int().min(0),
  compression: z.enum(["none", "xpress", "lzx"]),
  /** Uncompressed bytes per chunk; no WIM of LZX or XPRESS has more than 2 MiB. */
  chunkSize: z.int().min(1).max(2 * 1024 * 1024),
  /** Bytes of the chunk table at `offset`, before chunk 0. */
  tableSize: z.int().min(0),
  /** Stored size of each chunk in turn; empty when not compressed. */
  chunkSizes: z.array(z.int().min(1)),
});
export type StoredFile = z.infer<typeof storedFileSchema>;

/** storage.json: outside the content id, bound by its own hash in the signed policy. */
export const storageMapSchema = z.strictObject({
  format: z.literal("prestage-storage-v1"),
  wimSize: z.int().min(208),
  wimSha256: sha256Schema,
  /** Empty files are not listed: they have no bytes. */
  files: z.array(storedFileSchema).max(1_000_000),
});
export type StorageMap = z.infer<typeof storageMapSchema>;

/** A larger list of patches is refused before it is parsed. */
export const maximumPatchIndexBytes = 64 * 1024 * 1024;
/** What the signed policy says of the patches from one earlier version: their list's hash and length, and the bytes of all patches. */
export const offeredPatchesSchema = z.strictObject({ from: sha256Schema, indexSha256: sha256Schema, indexBytes: z.int().min(2).max(maximumPatchIndexBytes), bytes: z.int().min(0) });
export type OfferedPatches = z.infer<typeof offeredPatchesSchema>;
/** The names beside a version of the patches to it: `patch-FROM.json.zst`, their list, and `patch-FROM.bin`. */
export const patchFilePattern = /^patch-[0-9a-f]{64}\.(?:json\.zst|bin)$/;
