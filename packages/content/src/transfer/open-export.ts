import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Keyring } from "@prestage/trust";
import { defaultWimLimits, openWimFile, readEntryData, walkEntries } from "@prestage/wim";
import type { WimEntry, WimFile } from "@prestage/wim";
import { ContentError } from "../error.ts";
import { patchFilePattern } from "../description/schema.ts";
import { optionalFile, versionFiles } from "../description/version-files.ts";
import type { TransferOptions } from "./export-content.ts";
import { malformed, maximumManifestBytes, openExportManifest } from "./export-manifest.ts";
import type { ExportedObject } from "./export-manifest.ts";
import { findSeal, hashAround, openSeal } from "./export-seal.ts";

/** Signature and names alone: what an export may cost before it is trusted. Sizes in bytes. */
const limits = { ...defaultWimLimits, entries: 1_000_000, depth: 4, metadataBytes: 256 * 1024 * 1024, blobTableBytes: 128 * 1024 * 1024, xmlBytes: 256 * 1024 };
const mostKeyrings = 100;
const maximumKeyringBytes = 256 * 1024;

/** An export whose every byte was verified. */
export interface OpenedExport {
  siteCode: string;
  /** In the order to take them: those others depend on come first. */
  objects: ExportedObject[];
  /** The files of each version, by name, in the order to write them. */
  versions: Map<string, Map<string, WimEntry>>;
  wim: WimFile;
  close(): Promise<void>;
}

/**
 * Opens an export: its signature is of the trusted site, or of one of its keyrings that follow; not a byte of the file was altered; what it holds is
 * what an export holds. Nothing is written.
 * @throws TrustError, WimError, ContentError PRESTAGE_CONTENT_EXPORT_MALFORMED, PRESTAGE_CONTENT_EXPORT_ALTERED
 */
export async function openExport(path: string, trusted: Keyring, options: TransferOptions = {}): Promise<OpenedExport> {
  const wim = await openWimFile(path, { limits });
  const file = await open(path, "r").catch(async (cause: unknown) => {
    await wim.close();
    throw cause;
  });
  try {
    const { siteCode, sha256, place } = await readSeal(wim, file, trusted);
    const found = await hashAround(file, place, { ...(options.signal && { signal: options.signal }), onBytes: (done, total) => options.onProgress?.({ phase: "verify", done, total }) });
    if (found !== sha256) throw new ContentError("PRESTAGE_CONTENT_EXPORT_ALTERED", `Expected ${path} with the SHA-256 its signature names, ${sha256}; found ${found}. It was altered on its way: copy it again. Nothing was imported.`);
    return { siteCode, ...(await readTree(wim)), wim, close: () => wim.close() };
  } catch (cause) {
    await wim.close();
    throw cause;
  } finally {
    await file.close();
  }
}

async function readSeal(wim: WimFile, file: FileHandle, trusted: Keyring): Promise<{ siteCode: string; sha256: string; place: { start: number; end: number } }> {
  const [image, second] = wim.xml.images;
  if (image === undefined || second !== undefined || wim.header.imageCount !== 1) throw malformed("a WIM of one image");
  const { xml } = wim.header;
  if (xml.storedSize > limits.xmlBytes) throw malformed(`an XML of at most ${limits.xmlBytes} bytes; found ${xml.storedSize}`);
  const text = Buffer.alloc(xml.storedSize);
  await file.read(text, 0, text.length, xml.offset);
  const place = findSeal(text, xml.offset, image.description ?? "");
  const { siteCode, sha256 } = openSeal(image.description ?? "", trusted, await laterKeyrings(wim, trusted.version));
  return { siteCode, sha256, place };
}

/** The keyrings after a version, as far as the file has them: each is proved by the one before. */
async function laterKeyrings(wim: WimFile, version: number): Promise<Uint8Array[]> {
  const tree = await wim.readImage(1);
  const folder = tree.root.children.find((entry) => entry.name === "keyrings" && entry.isDirectory);
  const later: Uint8Array[] = [];
  for (let next = version + 1; next <= mostKeyrings; next++) {
    const entry = folder?.children.find((child) => child.name === `${next}.dsse.json`);
    if (entry === undefined) return later;
    later.push(await readSmall(wim, entry, maximumKeyringBytes));
  }
  return later;
}

async function readTree(wim: WimFile): Promise<Pick<OpenedExport, "objects" | "versions">> {
  const tree = await wim.readImage(1);
  const versions = new Map<string, Map<string, WimEntry>>();
  let manifest: WimEntry | undefined;
  for (const { path, entry } of walkEntries(tree)) {
    const [, id, name] = /^content\/([0-9a-f]{64})\/([^/]+)$/.exec(path) ?? [];
    const isFile = !entry.isDirectory && entry.reparseTag === undefined && entry.streams.length === 0;
    if (path === "export.json" && isFile) manifest = entry;
    else if (id !== undefined && name !== undefined && isFile && (versionFiles.some((one) => one === name) || patchFilePattern.test(name))) versions.set(id, (versions.get(id) ?? new Map<string, WimEntry>()).set(name, entry));
    else if (!(isFile ? /^keyrings\/\d{1,3}\.dsse\.json$/ : /^(?:keyrings|content(?:\/[0-9a-f]{64})?)$/).test(path)) throw malformed(`an export's files alone; found ${JSON.stringify(path.slice(0, 200))}`);
  }
  if (manifest === undefined) throw malformed("an export.json; found none");
  const { objects } = openExportManifest(await readSmall(wim, manifest, maximumManifestBytes));
  for (const { contentId } of objects) {
    const missing = versionFiles.find((name) => name !== optionalFile && versions.get(contentId)?.has(name) !== true);
    if (missing !== undefined) throw malformed(`${missing} of content ${contentId}; found none`);
  }
  return { objects, versions };
}

async function readSmall(wim: WimFile, entry: WimEntry, limit: number): Promise<Buffer> {
  const size = entry.sha1 === undefined ? 0 : wim.blob(entry.sha1).resource.size;
  if (size > limit) throw malformed(`${entry.name} of at most ${limit} bytes; found ${size}`);
  const parts: Uint8Array[] = [];
  for await (const part of readEntryData(wim, entry)) parts.push(part);
  return Buffer.concat(parts);
}
