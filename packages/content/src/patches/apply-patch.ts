import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { constants as zlib, createZstdDecompress } from "node:zlib";
import { RangesIgnored } from "../fetch/content-source.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import { placeFile } from "../cache/place-file.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { patchFileNames } from "./patch-index.ts";
import type { FilePatch, PatchPiece } from "./patch-index.ts";

/** A file to make by its patch. `base`: where the old file lies, its bytes checked when it was planned. */
export interface PlannedPatch { paths: string[]; patch: FilePatch; from: string; base: string; /** Payload bytes. */ bytes: number }

export type PatchOutcome = "made" | "wrong" | "unreachable";

/** A window of 256 MiB, as the patches are made with. */
const windowLogMax = 28;

/**
 * Makes a file from an old one of the disk and its patch, piece by piece; what an earlier attempt made of it is kept.
 * Anything but `made`: the file is fetched another way. `wrong`: the patch does not give the file it promises; `unreachable`: no source
 * has the patches (the site may have dropped them since the policy was made), and asking for the next one would cost as much waiting.
 */
export async function applyPatch(cache: LocalCache, sources: readonly ContentSource[], contentId: string, planned: PlannedPatch, options: FetchOptions, onBytes: (count: number) => void): Promise<PatchOutcome> {
  const { patch } = planned;
  const target = cache.partialPath(contentId, patch.sha256);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const output = await open(target, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const base = await open(planned.base, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (const piece of patch.pieces) {
      options.signal?.throwIfAborted();
      if (await isMade(output, piece)) continue;
      const dictionary = await readExactly(base, piece.fromOffset, piece.fromLength);
      const outcome = dictionary === undefined ? "wrong" : await makePiece(output, piece, dictionary, sources, contentId, planned, options, onBytes);
      if (outcome !== "made") return outcome;
    }
    await output.truncate(patch.size);
    await output.sync();
    if ((await sha256Of(output, 0, patch.size)) !== patch.sha256) return "wrong";
  } finally {
    await output.close();
    await base.close();
  }
  await placeFile(cache, contentId, target, planned);
  return "made";
}

/** Fetches one piece's patch and decodes it into its place; from the next source where the bytes of one are wrong. */
async function makePiece(output: FileHandle, piece: PatchPiece, dictionary: Buffer, sources: readonly ContentSource[], contentId: string, planned: PlannedPatch, options: FetchOptions, onBytes: (count: number) => void): Promise<PatchOutcome> {
  for (let usable = [...sources]; usable.length > 0; ) {
    const reader = new ResumingReader(usable, contentId, patchFileNames(planned.from).data, { start: piece.at, end: piece.at + piece.storedSize }, options, onBytes);
    let fault: unknown;
    try {
      const read = async function* (): AsyncIterable<Uint8Array> {
        for (let left = piece.storedSize; left > 0; ) {
          const bytes = await reader.read(Math.min(256 * 1024, left)).catch((cause: unknown) => {
            fault = cause;
            throw cause;
          });
          left -= bytes.length;
          yield bytes;
        }
      };
      if (await decodePatchPiece(output, piece, dictionary, read())) return "made";
      options.signal?.throwIfAborted();
      if (fault instanceof RangesIgnored) throw fault;
      if (fault !== undefined) return "unreachable";
      options.onSourceFailed?.({ source: reader.sourceName, reason: `the patch of ${JSON.stringify(planned.paths[0])} gives other bytes`, round: 1 });
      usable = usable.filter((source) => source.name !== reader.sourceName);
    } finally {
      await reader.close();
    }
  }
  return "wrong";
}

/** Decodes a piece into its place. True where the decoded bytes are the piece's; never writes behind its end. */
export async function decodePatchPiece(output: FileHandle, piece: PatchPiece, dictionary: Uint8Array, input: AsyncIterable<Uint8Array>): Promise<boolean> {
  const decoder = createZstdDecompress({ dictionary, params: { [zlib.ZSTD_d_windowLogMax]: windowLogMax } });
  const source = Readable.from(input, { objectMode: false });
  source.on("error", (cause) => decoder.destroy(cause));
  const hash = createHash("sha256");
  let at = 0;
  try {
    for await (const bytes of source.pipe(decoder) as AsyncIterable<Buffer>) {
      if (at + bytes.length > piece.length) return false;
      hash.update(bytes);
      await output.write(bytes, 0, bytes.length, piece.offset + at);
      at += bytes.length;
    }
  } catch {
    return false;
  } finally {
    source.destroy();
    decoder.destroy();
  }
  return at === piece.length && hash.digest("hex") === piece.sha256;
}

async function isMade(output: FileHandle, piece: PatchPiece): Promise<boolean> {
  return (await output.stat()).size >= piece.offset + piece.length && (await sha256Of(output, piece.offset, piece.length)) === piece.sha256;
}

async function sha256Of(file: FileHandle, offset: number, length: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), offset + at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/** A bad sector must not end a deployment: undefined where the bytes cannot be read. */
async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const bytesRead = await file.read(bytes, at, length - at, offset + at).then((result) => result.bytesRead, () => 0);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return bytes;
}
