import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { readEntryData } from "@prestage/wim";
import type { WimEntry, WimFile } from "@prestage/wim";
import { syncPath } from "../durable-files.ts";
import { ContentError } from "../error.ts";
import { patchFilePattern } from "../description/schema.ts";
import type { ContentLibrary, StoredVersion } from "../library/content-library.ts";
import { validateVersion } from "../library/validate-version.ts";
import type { TransferOptions } from "./export-content.ts";
import type { OpenedExport } from "./open-export.ts";

/** `ownStorage`: a version that is there and whole stays however it is stored, as a site's policies name its own storage maps. */
export interface ImportOptions extends TransferOptions { ownStorage?: boolean }

/**
 * Takes the versions of an opened export into a library or a published tree, which have one layout. Each is written beside its place, validated whole, and
 * moved there; one that is there and right stays; one stored otherwise gives way, as
 * policies name the storage map of the site it came from. Cut off, the same call finishes it. Returns the ids that were written.
 * @throws ContentError PRESTAGE_CONTENT_DAMAGED; then that version is not there
 */
export async function importExport(opened: OpenedExport, library: ContentLibrary, options: ImportOptions = {}): Promise<{ written: string[]; bytes: number }> {
  await mkdir(library.root, { recursive: true });
  await library.sweep();
  const wanted = new Map(opened.objects.map((object) => [object.contentId, object.storageSha256]));
  const total = [...opened.versions].reduce((sum, [id, files]) => sum + (wanted.has(id) ? sizeOf(opened.wim, files) : 0), 0);
  const written: string[] = [];
  let [done, bytes] = [0, 0];
  for (const [contentId, storageSha256] of wanted) {
    options.signal?.throwIfAborted();
    const files = opened.versions.get(contentId) ?? new Map<string, WimEntry>();
    const onBytes = (count: number) => options.onProgress?.({ phase: "import", done: (done += count), total });
    if (await isThere(library, contentId, options.ownStorage === true ? undefined : storageSha256, options.signal)) {
      await addPatches(opened.wim, library, contentId, files, options.signal);
      onBytes(sizeOf(opened.wim, files));
      continue;
    }
    await importVersion(opened.wim, library, contentId, storageSha256, files, onBytes, options.signal);
    written.push(contentId);
    bytes += sizeOf(opened.wim, files);
  }
  return { written, bytes };
}

async function isThere(library: ContentLibrary, contentId: string, storageSha256: string | undefined, signal: AbortSignal | undefined): Promise<boolean> {
  if (!(await library.has(contentId))) return false;
  return (await validateVersion(library.folderOf(contentId), contentId, storageSha256, signal === undefined ? {} : { signal })).filter(({ file }) => !patchFilePattern.test(file)).length === 0;
}

async function importVersion(wim: WimFile, library: ContentLibrary, contentId: string, storageSha256: string, files: ReadonlyMap<string, WimEntry>, onBytes: (count: number) => void, signal: AbortSignal | undefined): Promise<StoredVersion> {
  const folder = await library.prepare();
  try {
    for (const [name, entry] of files) await writeEntry(wim, entry, join(folder, name), onBytes, signal);
    const [fault] = await validateVersion(folder, contentId, storageSha256, signal === undefined ? {} : { signal });
    if (fault !== undefined) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected content ${contentId} whole in the export; ${fault.file}: ${fault.fault}. Validate the library it came from, and export it again.`);
    return await library.keep(folder, contentId, storageSha256);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A version that is there already may lack patches to it; a list comes after its patches, and a pack without its list may be of another making. */
async function addPatches(wim: WimFile, library: ContentLibrary, contentId: string, files: ReadonlyMap<string, WimEntry>, signal: AbortSignal | undefined): Promise<void> {
  const to = library.folderOf(contentId);
  const there = new Set(await readdir(to));
  const missing = [...files].filter(([name]) => patchFilePattern.test(name) && !there.has(listOf(name))).sort(([a], [b]) => (a < b ? -1 : 1));
  if (missing.length === 0) return;
  const folder = await library.prepare();
  try {
    for (const [name, entry] of missing) {
      await writeEntry(wim, entry, join(folder, name), () => undefined, signal);
      await rename(join(folder, name), join(to, name));
    }
    await syncPath(to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The list of a pack of patches. */
function listOf(name: string): string {
  return name.replace(/\.bin$/, ".json.zst");
}

/** Writes a file of the export, flushed; its bytes are checked once more as they pass (SHA-1, by the WIM reader), and the version whole before it counts. */
async function writeEntry(wim: WimFile, entry: WimEntry, path: string, onBytes: (count: number) => void, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    for await (const bytes of readEntryData(wim, entry)) {
      signal?.throwIfAborted();
      await file.writeFile(bytes);
      onBytes(bytes.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function sizeOf(wim: WimFile, files: ReadonlyMap<string, WimEntry>): number {
  return [...files.values()].reduce((sum, { sha1 }) => sum + (sha1 === undefined ? 0 : wim.blob(sha1).resource.size), 0);
}
