import { createHash } from "node:crypto";
import { open, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { findEntry, openWimFile } from "@prestage/wim";
import type { WimFile } from "@prestage/wim";
import { syncPath } from "../content-library.ts";
import type { ContentLibrary, StoredVersion } from "../content-library.ts";
import { ContentError } from "../error.ts";
import type { OfferedPatches } from "../schema.ts";
import { choosePatchBases } from "./choose-bases.ts";
import type { PatchPair } from "./choose-bases.ts";
import { patchFileNames } from "./patch-index.ts";
import type { FilePatch, PatchIndex, PatchPiece } from "./patch-index.ts";
import { patchWindows } from "./patch-windows.ts";
import { makeZstdPatch, patchLevels } from "./zstd-program.ts";

export interface MakePatchesOptions {
  level?: number;
  signal?: AbortSignal;
  /** Bytes of new files done, of all that get a patch. */
  onProgress?: (event: { done: number; total: number }) => void;
}

/** A patch is kept where it is at most this part of what the file costs whole. */
const worthKeeping = 0.9;

/**
 * Makes the patches from one version to another and keeps them beside the new one. The list is put into place last, so that it never names
 * what is not there; made again, the bytes are the same.
 * @throws ContentError PRESTAGE_CONTENT_NOT_FOUND, PRESTAGE_CONTENT_IMAGE_UNSUPPORTED, PRESTAGE_CONTENT_ZSTD
 */
export async function makePatches(library: ContentLibrary, fromId: string, toId: string, options: MakePatchesOptions = {}): Promise<OfferedPatches> {
  const [from, to] = [await library.open(fromId), await library.open(toId)];
  if (from.index.shape !== "files" || to.index.shape !== "files") throw new ContentError("PRESTAGE_CONTENT_IMAGE_UNSUPPORTED", "Expected two versions of an application, package or driver package; found an image. Images have no patches.");
  const pairs = choosePatchBases(await described(from), await described(to));
  const work = await library.prepare();
  const wims = [await openWimFile(from.wimPath), await openWimFile(to.wimPath)] as const;
  try {
    const names = patchFileNames(fromId);
    const output = await open(join(work, names.data), "wx", 0o644);
    const files: FilePatch[] = [];
    let size = 0;
    let done = 0;
    const total = pairs.reduce((sum, pair) => sum + pair.to.size, 0);
    try {
      for (const pair of pairs) {
        options.signal?.throwIfAborted();
        const patch = await patchFile(wims, pair, work, output, size, options);
        if (patch !== undefined) {
          files.push(patch);
          size = Math.max(...patch.pieces.map((piece) => piece.at + piece.storedSize));
        }
        options.onProgress?.({ done: (done += pair.to.size), total });
      }
      await output.truncate(size);
      await output.sync();
    } finally {
      await output.close();
    }
    const index: PatchIndex = { format: "prestage-patches-v1", from: fromId, to: toId, size, files };
    await writeFile(join(work, names.index), JSON.stringify(index), { mode: 0o644 });
    await syncPath(join(work, names.index));
    for (const name of [names.data, names.index]) {
      await rename(join(work, name), join(to.folder, name));
      await syncPath(to.folder);
    }
    return await readOffer(to.folder, fromId);
  } finally {
    for (const wim of wims) await wim.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** The patches a version has from another, as the policy offers them; undefined where there are none. */
export async function offeredPatches(library: ContentLibrary, fromId: string, toId: string): Promise<OfferedPatches | undefined> {
  return readOffer(library.folderOf(toId), fromId).catch(() => undefined);
}

/** Removes the patches from one version to another. */
export async function removePatches(library: ContentLibrary, fromId: string, toId: string): Promise<void> {
  const names = patchFileNames(fromId);
  for (const name of [names.index, names.data]) await unlink(join(library.folderOf(toId), name)).catch(() => undefined);
}

async function readOffer(folder: string, from: string): Promise<OfferedPatches> {
  const names = patchFileNames(from);
  const [index, data] = [await readFile(join(folder, names.index)), await stat(join(folder, names.data))];
  return { from, indexSha256: createHash("sha256").update(index).digest("hex"), indexBytes: index.length, bytes: data.size };
}

async function described({ index, folder }: StoredVersion): Promise<{ index: StoredVersion["index"]; chunks: Buffer }> {
  return { index, chunks: await readFile(join(folder, "chunks.bin")) };
}

/** Appends a file's patch at `at`; undefined where fetching the file whole is hardly dearer. */
async function patchFile(wims: readonly [WimFile, WimFile], pair: PatchPair, work: string, output: FileHandle, at: number, options: MakePatchesOptions): Promise<FilePatch | undefined> {
  const [oldPath, newPath, patchPath] = ["old", "new", "patch"].map((name) => join(work, name)) as [string, string, string];
  const stored = (await resourceOf(wims[1], pair.to.path)).storedSize;
  const pieces: PatchPiece[] = [];
  let end = at;
  for (const window of patchWindows(pair.from.size, pair.to.size)) {
    await extract(wims[0], pair.from.path, window.fromOffset, window.fromLength, oldPath);
    const sha256 = await extract(wims[1], pair.to.path, window.offset, window.length, newPath);
    await makeZstdPatch(oldPath, newPath, patchPath, { level: options.level ?? patchLevels.usual, signal: options.signal });
    const bytes = await readFile(patchPath);
    await output.write(bytes, 0, bytes.length, end);
    pieces.push({ ...window, sha256, at: end, storedSize: bytes.length });
    end += bytes.length;
    if (end - at > stored * worthKeeping) return undefined;
  }
  return { sha256: pair.to.sha256, size: pair.to.size, from: { sha256: pair.from.sha256, size: pair.from.size }, pieces };
}

async function resourceOf(wim: WimFile, path: string) {
  const entry = findEntry(await imageOf(wim), path);
  const blob = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
  if (blob === undefined) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${JSON.stringify(path)} in the stored WIM; found none. Validate the content at the site.`);
  return blob.resource;
}

const images = new WeakMap<WimFile, ReturnType<WimFile["readImage"]>>();
function imageOf(wim: WimFile): ReturnType<WimFile["readImage"]> {
  const known = images.get(wim) ?? wim.readImage(1);
  images.set(wim, known);
  return known;
}

/** Writes a range of a stored file's bytes to a file; returns their SHA-256. */
async function extract(wim: WimFile, path: string, offset: number, length: number, target: string): Promise<string> {
  const resource = await resourceOf(wim, path);
  const hash = createHash("sha256");
  const file = await open(target, "w", 0o600);
  try {
    const step = 4 * 1024 * 1024;
    for (let at = 0; at < length; at += step) {
      const bytes = await wim.readResourceRange(resource, offset + at, Math.min(step, length - at));
      hash.update(bytes);
      await file.write(bytes, 0, bytes.length, at);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}
