import { createHash } from "node:crypto";
import { copyFile, constants, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openWimFile, ResourceHasher, unsafeNames, verifyIntegrity, walkEntries, WimError } from "@prestage/wim";
import type { BlobEntry, WimFile, WimImage } from "@prestage/wim";
import type { ContentLibrary, StoredVersion } from "../library/content-library.ts";
import { reckonStored, storedNote, storedNoteName } from "../library/stored-digests.ts";
import { describeBytes } from "./describe-bytes.ts";
import { ContentError } from "../error.ts";
import { encodeIndex, packJson } from "../description/index-document.ts";
import { chunkingName, largeFileChunking } from "../description/schema.ts";
import type { ContentIndex, IndexFile, StorageMap } from "../description/schema.ts";
import { scanFolder } from "./scan-folder.ts";
import type { ScannedFolder } from "./scan-folder.ts";
import { sourceOfFile } from "../fetch/file-source.ts";
import { storedFileOf, wholeWimAsStoredFile } from "../description/storage-map.ts";
import { runWimlib } from "./wimlib.ts";

export interface ImportProgress { phase: "compress" | "describe"; done: number; total: number }
export interface ImportOptions { signal?: AbortSignal; onProgress?: (event: ImportProgress) => void }
export interface ImportImageOptions extends ImportOptions {
  /** FAT and NTFS must hold the names of every image, not of Windows images alone: of a boot image. */
  forBoot?: boolean;
}

/**
 * Imports a folder as a content version: stored as a WIM (LZX, 32 KiB chunks, integrity table), described by what the WIM decodes to.
 * The same files give the same content id, whatever their times.
 * @throws ContentError
 */
export async function importFolder(library: ContentLibrary, folder: string, options: ImportOptions = {}): Promise<StoredVersion> {
  const scanned = await scanFolder(resolve(folder), options.signal);
  const prepared = await library.prepare();
  try {
    await captureFolder(resolve(folder), prepared, options);
    const wim = await openWimFile(join(prepared, "content.wim"));
    try {
      // Before the files are decoded to describe them: digests of bytes altered in between would be signed.
      const stored = await digestsOf(wim, options);
      return await keepVersion(library, prepared, await describeTree(wim, scanned, options), stored);
    } finally {
      await wim.close();
    }
  } catch (cause) {
    await rm(prepared, { recursive: true, force: true });
    throw cause;
  }
}

/**
 * Imports an OS or boot image: the .wim is kept as it came, with an integrity table added by raw export where it has none.
 * @throws ContentError PRESTAGE_CONTENT_IMAGE_UNSUPPORTED where it has no image `index`, or names its system cannot hold
 */
export async function importImage(library: ContentLibrary, wimPath: string, requiredImages: readonly number[], options: ImportImageOptions = {}): Promise<StoredVersion> {
  const prepared = await library.prepare();
  try {
    await copyWim(resolve(wimPath), join(prepared, "content.wim"), options);
    const wim = await openWimFile(join(prepared, "content.wim"));
    try {
      for (const index of requiredImages) {
        if (index < 1 || index > wim.imageCount) throw new ContentError("PRESTAGE_CONTENT_IMAGE_UNSUPPORTED", `Expected an image with index ${index} in ${wimPath}; found ${wim.imageCount} image(s). Choose one with --index.`);
      }
      await verifyIntegrity(wim, options.signal ? { signal: options.signal } : {});
      return await keepVersion(library, prepared, await describeImages(wim, options));
    } finally {
      await wim.close();
    }
  } catch (cause) {
    await rm(prepared, { recursive: true, force: true });
    throw cause;
  }
}

interface Description { index: ContentIndex; chunkLists: Buffer[]; storage: StorageMap }

async function captureFolder(folder: string, prepared: string, options: ImportOptions): Promise<void> {
  // Without a configuration of our own wimlib leaves out names such as pagefile.sys.
  const configuration = join(prepared, "capture.ini");
  await writeFile(configuration, "[ExclusionList]\n");
  await runWimlib(["capture", folder, join(prepared, "content.wim"), "content", "--compress=LZX:20", "--check", "--norpfix", "--no-acls", `--config=${configuration}`], {
    ...(options.signal && { signal: options.signal }),
    onProgress: (event) => options.onProgress?.({ phase: "compress", done: event.percent, total: 100 }),
  });
  await rm(configuration);
}

/** Copies a .wim whole. Exports it where another tool's form would not do: raw where it has no integrity table, recompressed where it is solid. */
async function copyWim(from: string, to: string, options: ImportOptions): Promise<void> {
  const form = await formOf(from);
  if (form === "as-it-is") return copyFile(from, to, constants.COPYFILE_FICLONE);
  await runWimlib(["export", from, "all", to, "--check", ...(form === "recompress" ? ["--compress=LZX:20"] : [])], {
    ...(options.signal && { signal: options.signal }),
    onProgress: (event) => options.onProgress?.({ phase: "compress", done: event.percent, total: 100 }),
  });
}

async function formOf(path: string): Promise<"as-it-is" | "export" | "recompress"> {
  try {
    const wim = await openWimFile(path);
    await wim.close();
    return wim.integrity === undefined ? "export" : "as-it-is";
  } catch (cause) {
    if (cause instanceof WimError && cause.code === "PRESTAGE_WIM_SOLID") return "recompress";
    throw cause;
  }
}

/** Describes image 1 as the tree of files the scan found; any difference means the folder changed meanwhile. */
async function describeTree(wim: WimFile, scanned: ScannedFolder, options: ImportOptions): Promise<Description> {
  const image = await wim.readImage(1);
  const bySha1 = new Map<string, Awaited<ReturnType<typeof describeBytes>>>();
  const found = new Map([...walkEntries(image)].map(({ path, entry }) => [path, entry]));
  const files: IndexFile[] = [];
  const storage: StorageMap["files"] = [];
  const chunkLists: Buffer[] = [];
  let done = 0;
  for (const file of scanned.files) {
    options.signal?.throwIfAborted();
    const entry = found.get(file.path);
    const blob = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
    const size = blob?.resource.size ?? 0;
    if (entry === undefined || entry.isDirectory || entry.reparseTag !== undefined || size !== file.size) throw changed(file.path);
    const key = entry.sha1 ?? "";
    const described = bySha1.get(key) ?? (await describeBytes(size, blob ? checkedBytes(wim, blob) : emptyBytes(), { chunks: chunkingName }));
    bySha1.set(key, described);
    files.push({ path: file.path, ...described.file, ...(file.executable && { executable: true as const }) });
    chunkLists.push(described.chunkList);
    if (blob !== undefined) storage.push(await storedFileOf(wim, file.path, blob.resource));
    options.onProgress?.({ phase: "describe", done: (done += size), total: scanned.bytes });
  }
  if (found.size !== scanned.files.length + scanned.directories.length) throw changed("the list of files");
  const parents = new Set([...scanned.files.map((file) => file.path), ...scanned.directories].map((path) => path.split("/").slice(0, -1).join("/")));
  const directories = scanned.directories.filter((path) => !parents.has(path));
  return {
    index: { format: "prestage-content-v1", shape: "files", chunking: chunkingName, directories, files },
    chunkLists,
    storage: { format: "prestage-storage-v1", wimSize: wim.source.size, wimSha256: await sha256OfWim(wim), files: storage },
  };
}

/** Describes the .wim file itself and the files in each of its images. */
async function describeImages(wim: WimFile, options: ImportImageOptions): Promise<Description> {
  const { file, chunkList } = await describeBytes(wim.source.size, sourceOfFile(wim.source), { chunks: largeFileChunking });
  const bySha1 = new Map<string, Awaited<ReturnType<typeof describeBytes>>>();
  const total = [...wim.blobs.values()].reduce((sum, blob) => sum + blob.resource.size, 0);
  const chunkLists: Buffer[] = [chunkList];
  const images: NonNullable<ContentIndex["images"]> = [];
  let done = 0;
  for (let index = 1; index <= wim.imageCount; index++) {
    const image = await wim.readImage(index);
    for (const system of systemsOf(image, options.forBoot === true || wim.xml.images[index - 1]?.windows !== undefined)) {
      const [unsafe] = unsafeNames(image, system);
      if (unsafe !== undefined) throw new ContentError("PRESTAGE_CONTENT_IMAGE_UNSUPPORTED", `Expected names that a disk of ${system === "windows" ? "Windows" : "Linux"} can hold in image ${index}; found ${JSON.stringify(unsafe.path.slice(0, 300))} (${unsafe.reason}). \`prestage wim verify\` names them all.`);
    }
    const files: IndexFile[] = [];
    for (const { path, entry } of walkEntries(image)) {
      options.signal?.throwIfAborted();
      if (entry.isDirectory || entry.reparseTag !== undefined) continue;
      const blob = entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
      const key = entry.sha1 ?? "";
      let described = bySha1.get(key);
      if (described === undefined) {
        described = await describeBytes(blob?.resource.size ?? 0, blob ? checkedBytes(wim, blob) : emptyBytes(), { chunks: chunkingName });
        bySha1.set(key, described);
        done += blob?.resource.size ?? 0;
        options.onProgress?.({ phase: "describe", done, total });
      }
      files.push({ path, ...described.file });
      chunkLists.push(described.chunkList);
    }
    images.push({ index, name: wim.xml.images[index - 1]?.name ?? "", files });
  }
  return {
    index: { format: "prestage-content-v1", shape: "image", chunking: chunkingName, directories: [], files: [{ path: "image.wim", ...file }], images },
    chunkLists,
    storage: { format: "prestage-storage-v1", wimSize: wim.source.size, wimSha256: file.sha256, files: [wholeWimAsStoredFile(wim.source.size)] },
  };
}

/** Whose disks an image may be laid onto. A Linux may have names that differ by case alone, or that Windows takes for devices; one that says of neither may go to either. */
function systemsOf(image: WimImage, windows: boolean): ("windows" | "linux")[] {
  if (windows) return ["windows"];
  for (const { entry } of walkEntries(image)) if (entry.unix !== undefined) return ["linux"];
  return ["windows", "linux"];
}

/** Now, so that building a media does not wait for it. */
async function digestsOf(wim: WimFile, { signal }: ImportOptions): Promise<string[]> {
  // Once for a version: not worth the memory of threads.
  const hasher = new ResourceHasher({ threads: 0, signal });
  try {
    return await reckonStored(wim, hasher);
  } finally {
    await hasher.close();
  }
}

async function keepVersion(library: ContentLibrary, prepared: string, description: Description, stored?: readonly string[]): Promise<StoredVersion> {
  const { bytes, contentId } = encodeIndex(description.index);
  await writeFile(join(prepared, "index.json"), bytes);
  await writeFile(join(prepared, "index.json.zst"), packJson(bytes));
  await writeFile(join(prepared, "chunks.bin"), Buffer.concat(description.chunkLists));
  const storage = Buffer.from(JSON.stringify(description.storage));
  await writeFile(join(prepared, "storage.json"), storage);
  await writeFile(join(prepared, "storage.json.zst"), packJson(storage));
  if (stored !== undefined) await writeFile(join(prepared, storedNoteName), storedNote(createHash("sha256").update(storage).digest("hex"), stored));
  return library.keep(prepared, contentId);
}

async function sha256OfWim(wim: WimFile): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of sourceOfFile(wim.source)) hash.update(piece);
  return hash.digest("hex");
}

/** A blob's bytes; at the end their SHA-1 must be the one the WIM files them under: a damaged image must not become content. */
async function* checkedBytes(wim: WimFile, blob: BlobEntry): AsyncIterable<Uint8Array> {
  const hash = createHash("sha1");
  for await (const piece of wim.readResource(blob.resource)) {
    hash.update(piece);
    yield piece;
  }
  const found = hash.digest("hex");
  if (found !== blob.sha1) throw new ContentError("PRESTAGE_CONTENT_IMAGE_DAMAGED", `Expected data with SHA-1 ${blob.sha1} in the image; found ${found}. Get the file again from its source.`);
}

async function* emptyBytes(): AsyncIterable<Uint8Array> {}

function changed(what: string): ContentError {
  return new ContentError("PRESTAGE_CONTENT_SOURCE_CHANGED", `Expected the folder to stay as it is during the import; ${JSON.stringify(what)} changed. Import again when nothing writes there.`);
}
