import { createHash } from "node:crypto";
import { open, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { walkEntries } from "@prestage/wim";
import type { WimEntry, WimFile } from "@prestage/wim";
import { syncPath } from "../durable-files.ts";
import type { ContentLibrary, StoredVersion } from "../library/content-library.ts";
import { ContentError } from "../error.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { choosePatchBases } from "./choose-bases.ts";
import type { PatchPair } from "./choose-bases.ts";
import { describedFiles } from "./described-files.ts";
import type { DescribedFile } from "./described-files.ts";
import { packPatchIndex, patchFileNames } from "./patch-index.ts";
import type { FilePatch, PatchIndex, PatchPiece } from "./patch-index.ts";
import { patchWindows } from "./patch-windows.ts";
import { makeZstdPatch, patchLevels } from "./zstd-program.ts";
import { openStoredWim } from "../library/single-instance/stored-source.ts";

export interface MakePatchesOptions {
  level?: number;
  signal?: AbortSignal;
  /** Bytes the patches may take; where they would take more, none is kept. */
  spaceBytes?: number;
  /** Bytes of new files done, of all that get a patch. */
  onProgress?: (event: { done: number; total: number }) => void;
}

/** A patch is kept where it is at most this part of what the file costs whole, and saves at least its own line in the list. */
const worthKeeping = 0.9;
const lineBytes = 160;

/**
 * Makes the patches from one version to another and keeps them beside the new one. The list is put into place last, so that it never names
 * what is not there; made again, the bytes are the same.
 * @throws ContentError PRESTAGE_CONTENT_NOT_FOUND, PRESTAGE_CONTENT_IMAGE_UNSUPPORTED, PRESTAGE_CONTENT_ZSTD, PRESTAGE_CONTENT_PATCH_SPACE
 */
export async function makePatches(library: ContentLibrary, fromId: string, toId: string, options: MakePatchesOptions = {}): Promise<OfferedPatches> {
  const [from, to] = [await library.open(fromId), await library.open(toId)];
  if (from.index.shape !== to.index.shape) throw new ContentError("PRESTAGE_CONTENT_IMAGE_UNSUPPORTED", "Expected two versions of one object; found an image and a folder.");
  const pairs = choosePatchBases(await described(from), await described(to));
  const work = await library.prepare();
  const wims = [await openStoredWim(from), await openStoredWim(to)] as const;
  try {
    const names = patchFileNames(fromId);
    const output = await open(join(work, names.data), "wx", 0o644);
    const files: FilePatch[] = [];
    let size = 0;
    let done = 0;
    const total = pairs.reduce((sum, pair) => sum + pair.to.file.size, 0);
    try {
      for (const pair of pairs) {
        options.signal?.throwIfAborted();
        const patch = await patchFile(wims, pair, work, output, size, options);
        if (patch !== undefined) {
          files.push(patch);
          size = Math.max(...patch.pieces.map((piece) => piece.at + piece.storedSize));
        }
        options.onProgress?.({ done: (done += pair.to.file.size), total });
      }
      await output.truncate(size);
      await output.sync();
    } finally {
      await output.close();
    }
    const index: PatchIndex = { format: "prestage-patches-v1", from: fromId, to: toId, size, files };
    await writeFile(join(work, names.index), packPatchIndex(index), { mode: 0o644 });
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

async function described({ index, folder }: StoredVersion): Promise<DescribedFile[]> {
  return describedFiles(index, await readFile(join(folder, "chunks.bin")));
}

/** Appends a file's patch at `at`; undefined where fetching the file whole is hardly dearer. */
async function patchFile(wims: readonly [WimFile, WimFile], pair: PatchPair, work: string, output: FileHandle, at: number, options: MakePatchesOptions): Promise<FilePatch | undefined> {
  const [oldPath, newPath, patchPath] = ["old", "new", "patch"].map((name) => join(work, name)) as [string, string, string];
  const { from, to } = pair;
  const stored = (await resourceOf(wims[1], to)).storedSize;
  const most = Math.min(stored * worthKeeping, stored - lineBytes);
  const pieces: PatchPiece[] = [];
  let end = at;
  for (const window of patchWindows(from.file.size, to.file.size)) {
    await extract(wims[0], from, window.fromOffset, window.fromLength, oldPath);
    const sha256 = await extract(wims[1], to, window.offset, window.length, newPath);
    await makeZstdPatch(oldPath, newPath, patchPath, { level: options.level ?? patchLevels.usual, signal: options.signal });
    const bytes = await readFile(patchPath);
    if (end + bytes.length > (options.spaceBytes ?? Infinity)) throw new ContentError("PRESTAGE_CONTENT_PATCH_SPACE", `Expected the patches to this version to fit in ${options.spaceBytes} bytes; they do not. Give patches more space (patchSpaceBytes), or revoke media whose versions nobody has any more.`);
    await output.write(bytes, 0, bytes.length, end);
    pieces.push({ ...window, sha256, at: end, storedSize: bytes.length });
    end += bytes.length;
    if (end - at > most) return undefined;
  }
  return { sha256: to.file.sha256, size: to.file.size, from: { sha256: from.file.sha256, size: from.file.size }, pieces };
}

async function resourceOf(wim: WimFile, { file: { path }, image }: DescribedFile) {
  const entry = (await entriesOf(wim, image)).get(path);
  const blob = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
  if (blob === undefined) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${JSON.stringify(path)} in the stored WIM; found none. Validate the content at the site.`);
  return blob.resource;
}

const entries = new WeakMap<WimFile, Map<number, Promise<Map<string, WimEntry>>>>();
/** Every path of an image; kept for as long as the WIM is. */
function entriesOf(wim: WimFile, image: number): Promise<Map<string, WimEntry>> {
  const known = entries.get(wim) ?? new Map<number, Promise<Map<string, WimEntry>>>();
  entries.set(wim, known);
  const found = known.get(image) ?? wim.readImage(image).then((tree) => new Map([...walkEntries(tree)].map(({ path, entry }) => [path, entry])));
  known.set(image, found);
  return found;
}

/** Writes a range of a stored file's bytes to a file; returns their SHA-256. */
async function extract(wim: WimFile, from: DescribedFile, offset: number, length: number, target: string): Promise<string> {
  const resource = await resourceOf(wim, from);
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
