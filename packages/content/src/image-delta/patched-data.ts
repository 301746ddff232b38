import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { ContentError } from "../error.ts";
import { decodePatchPiece } from "../patches/apply-patch.ts";
import { patchFileNames } from "../patches/patch-index.ts";
import type { FilePatch, PatchIndex, PatchPiece } from "../patches/patch-index.ts";
import { bytesOfPatch } from "../patches/plan-patches.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { isMade, placeOf } from "./made-data.ts";
import type { DeltaWork, NamedData } from "./made-data.ts";
import type { MissingData } from "./missing-data.ts";
import { joined } from "./range-image.ts";

/** Data of a new image that are made from data of the older one. `from`: where those lie in the older image. */
export interface PatchedData { data: NamedData; patch: FilePatch; from: ResourceHeader }

/** Which of the missing data are made by a patch, since that is less than fetching them, and which are fetched. */
export function dividePatched(missing: readonly MissingData[], index: PatchIndex | undefined, base: ReadonlyMap<string, ResourceHeader>): { raw: MissingData[]; patched: PatchedData[] } {
  const patches = new Map(index?.files.map((patch) => [patch.sha256, patch]));
  const [raw, patched]: [MissingData[], PatchedData[]] = [[], []];
  for (const data of missing) {
    const { sha256, resource } = data;
    const patch = sha256 === undefined ? undefined : patches.get(sha256);
    const from = patch && base.get(patch.from.sha256);
    const usable = sha256 !== undefined && patch !== undefined && from !== undefined && patch.size === resource.size && from.size === patch.from.size && bytesOfPatch(patch) < resource.storedSize;
    if (usable) patched.push({ data: { ...data, sha256 }, patch, from });
    else raw.push(data);
  }
  return { raw, patched };
}

/** The ranges of patch-FROM.bin these need. */
export function patchRanges(patched: readonly PatchedData[]): { start: number; end: number }[] {
  return joined(patched.flatMap(({ patch }) => patch.pieces.map((piece) => ({ start: piece.at, end: piece.at + piece.storedSize }))));
}

export interface PatchedWork extends DeltaWork {
  /** The older version. */
  from: string;
  base: WimFile;
}

/**
 * Fetches patches and makes the data they give; what an earlier attempt made is kept. Returns what could not be made so, whatever the cause:
 * it is fetched instead.
 */
export async function makePatched(patched: readonly PatchedData[], work: PatchedWork): Promise<{ made: PatchedData[]; failed: PatchedData[] }> {
  await mkdir(work.folder, { recursive: true, mode: 0o700 });
  const [made, open_]: [PatchedData[], PatchedData[]] = [[], []];
  for (const one of patched) ((await isMade(work, one.data)) ? made : open_).push(one);
  // The one whose patch ends first comes first: it is made as soon as that has arrived, so that a power cut loses one file's patch.
  const inOrder = open_.map((one) => ({ one, end: Math.max(...one.patch.pieces.map((piece) => piece.at + piece.storedSize)) })).sort((a, b) => a.end - b.end);
  let next = 0;
  const local = await open(join(work.folder, "patches"), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    for (const run of patchRanges(open_)) {
      const reader = new ResumingReader(work.sources, work.contentId, patchFileNames(work.from).data, run, work.options, work.onBytes);
      try {
        for (let at = run.start; at < run.end; ) {
          const bytes = await reader.read(Math.min(1024 * 1024, run.end - at));
          await local.write(bytes, 0, bytes.length, at);
          at += bytes.length;
          for (let due = inOrder[next]; due !== undefined && due.end <= at; due = inOrder[++next]) {
            work.options.signal?.throwIfAborted();
            if ((await decodeFile(work, due.one, local)) && (await isMade(work, due.one.data))) made.push(due.one);
          }
        }
      } finally {
        await reader.close();
      }
    }
  } catch (cause) {
    work.options.signal?.throwIfAborted();
    // The patches cannot be had any more (the site may have dropped them since the policy was made); the image itself perhaps can.
    if (!(cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_FETCH_FAILED")) throw cause;
  } finally {
    await local.close();
  }
  const good = new Set(made);
  return { made, failed: patched.filter((one) => !good.has(one)) };
}

async function decodeFile(work: PatchedWork, { data, patch, from }: PatchedData, patches: FileHandle): Promise<boolean> {
  const output = await open(placeOf(work, data.sha1), constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
  try {
    for (const piece of patch.pieces) {
      const dictionary = await work.base.readResourceRange(from, piece.fromOffset, piece.fromLength).catch(() => undefined);
      if (dictionary === undefined) return false;
      if (!(await decodePatchPiece(output, piece, dictionary, partsOf(patches, piece)))) return false;
    }
    await output.sync();
    return true;
  } finally {
    await output.close();
  }
}

async function* partsOf(file: FileHandle, { at, storedSize }: PatchPiece): AsyncIterable<Uint8Array> {
  for (let done = 0; done < storedSize; ) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(256 * 1024, storedSize - done)), 0, undefined, at + done);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}
