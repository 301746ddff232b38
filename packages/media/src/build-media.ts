import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { IndexFile, StoredVersion } from "@prestage/content";
import { buildWim } from "@prestage/wim";
import type { WimFile, WimSource } from "@prestage/wim";
import { openStoredWim, storedDigests, syncPath, wholeSha1 } from "@prestage/content";
import type { SigningKey } from "@prestage/trust";
import { MediaError } from "./error.ts";
import { prepareOutput } from "./prepare-output.ts";
import { signManifest } from "./manifest.ts";
import { contentFolder, dataPaths } from "./media-layout.ts";
import type { Manifest, ManifestFile, MediaContent } from "./schema.ts";
import { mediaSheet } from "./media-sheet.ts";
import { protectedDescriptor } from "./protected-descriptor.ts";

/** A content version to carry, with its place in the library. */
export interface MediaSourceContent { content: MediaContent; version: StoredVersion }

export interface MediaBuildInput {
  /** All of the manifest but what follows from the content. */
  manifest: Omit<Manifest, "bootImage" | "osImage" | "content" | "files" | "keyring" | "stored">;
  keyring: { version: number; envelope: Uint8Array };
  bootImage: MediaSourceContent;
  osImage?: { source: MediaSourceContent; index: number };
  content: readonly MediaSourceContent[];
  mediaKey: SigningKey;
  output: string;
}

export interface MediaBuildResult { path: string; mediaId: string; size: number; sha256: string; manifest: Manifest }
export interface MediaBuildProgress { phase: "copy" | "integrity" | "checksum"; done: number; total: number }
export interface MediaBuildOptions { signal?: AbortSignal; onProgress?: (event: MediaBuildProgress) => void }

/**
 * Builds a media: one WIM, two images, by raw copy; beside it `.sha256` and a readable sheet.
 * The same inputs give the same bytes, on any day, in any folder.
 * @throws MediaError, WimError, ContentError PRESTAGE_CONTENT_DAMAGED where the library is damaged
 */
export async function buildMedia(input: MediaBuildInput, options: MediaBuildOptions = {}): Promise<MediaBuildResult> {
  await prepareOutput(input.output);
  const carried = carriedContent(input);
  const manifest = await completeManifest(input, carried, options.signal);
  const signed = signManifest(manifest, input.mediaKey);
  const opened: WimFile[] = [];
  try {
    const openStored = async (version: StoredVersion) => {
      const wim = await openStoredWim(version);
      opened.push(wim);
      return wim;
    };
    const boot = await openStored(input.bootImage.version);
    const data = await dataSources(input, carried, signed.envelope, boot, openStored, options.signal);
    const { size, sha256 = "" } = await buildWim(
      {
        guid: Buffer.from(signed.mediaId, "hex").subarray(0, 16),
        time: fileTimeOf(new Date(manifest.floor)),
        images: [
          { name: "boot", description: "For the EFI system partition (FAT32)", sources: [{ kind: "tree", wim: boot, image: 1, destination: "" }] },
          { name: "data", description: "For the data volume", sources: data },
        ],
      },
      input.output,
      { ...options, checksum: true },
    );
    const written = { size, sha256 };
    await writeCompanions(input.output, written, manifest, signed.mediaId);
    return { path: input.output, mediaId: signed.mediaId, ...written, manifest };
  } catch (cause) {
    for (const path of [input.output, `${input.output}.sha256`, `${input.output}.txt`]) await rm(path, { force: true });
    throw cause;
  } finally {
    for (const wim of opened) await wim.close();
  }
}

/** Content in the order of ids, so that the order of options does not change the bytes. */
function carriedContent(input: MediaBuildInput): MediaSourceContent[] {
  const all = [...(input.osImage ? [input.osImage.source] : []), ...input.content];
  const byObject = new Map(all.map((source) => [source.content.objectId, source]));
  return [...byObject.values()].sort((a, b) => (a.content.objectId < b.content.objectId ? -1 : 1));
}

/** Digests of what is copied as it is stored, once its files are known to be right. An OS image is one stored file: its index has the SHA-256 of its spans. */
async function storedOf(boot: StoredVersion, carried: readonly MediaSourceContent[], signal: AbortSignal | undefined): Promise<NonNullable<Manifest["stored"]>> {
  const content: Record<string, string> = {};
  for (const { version } of carried) {
    if (version.index.shape !== "files" || content[version.contentId] !== undefined) continue;
    content[version.contentId] = (await storedDigests(version, signal))[0] ?? "";
  }
  const [esp = "", agent = ""] = await storedDigests(boot, signal);
  return { esp, agent, content };
}

async function completeManifest(input: MediaBuildInput, carried: readonly MediaSourceContent[], signal: AbortSignal | undefined): Promise<Manifest> {
  const boot = input.bootImage;
  return {
    ...input.manifest,
    keyring: { version: input.keyring.version, sha256: sha256Of(input.keyring.envelope) },
    bootImage: { objectId: boot.content.objectId, name: boot.content.name, revision: boot.content.revision, contentId: boot.content.contentId },
    ...(input.osImage && { osImage: { objectId: input.osImage.source.content.objectId, contentId: input.osImage.source.content.contentId, index: input.osImage.index } }),
    content: carried.map((source) => source.content),
    files: [
      ...imageFiles(boot.version, 1, "esp", ""),
      ...imageFiles(boot.version, 2, "data", `${dataPaths.agent}/`),
      { volume: "data", path: dataPaths.keyring, size: input.keyring.envelope.length, sha256: sha256Of(input.keyring.envelope) },
    ],
    // What takes long last: by now it is a media.
    stored: await storedOf(boot.version, carried, signal),
  };
}

/** The boot image's files as its index describes them. */
function imageFiles(version: StoredVersion, image: number, volume: "esp" | "data", prefix: string): ManifestFile[] {
  const files: readonly IndexFile[] = version.index.images?.find((one) => one.index === image)?.files ?? [];
  if (files.length === 0) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected a boot image with files in image ${image}; found none. Import the output of \`prestage boot-image build\`.`);
  return files
    .map(({ path, size, sha256, spans }) => ({ volume, path: `${prefix}${path}`, size, sha256, ...(spans && { spans }) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

const rootOnly = { uid: 0, gid: 0, mode: 0o040700, rdev: 0 };
const rootOnlyFile = { uid: 0, gid: 0, mode: 0o100600, rdev: 0 };

async function dataSources(input: MediaBuildInput, carried: readonly MediaSourceContent[], manifest: Buffer, boot: WimFile, open: (version: StoredVersion) => Promise<WimFile>, signal: AbortSignal | undefined): Promise<WimSource[]> {
  const securityDescriptor = protectedDescriptor;
  const folder = (destination: string): WimSource => ({ kind: "directory", destination, unix: rootOnly, securityDescriptor });
  const bytes = (destination: string, value: Uint8Array): WimSource => ({ kind: "file", destination, from: { bytes: value }, size: value.length, unix: rootOnlyFile, securityDescriptor });
  const sources: WimSource[] = [
    folder(dataPaths.root),
    bytes(dataPaths.manifest, manifest),
    bytes(dataPaths.keyring, input.keyring.envelope),
    { kind: "tree", wim: boot, image: 2, destination: dataPaths.agent, securityDescriptor },
    ...(carried.length > 0 ? [folder(dataPaths.content)] : []),
  ];
  const done = new Set<string>();
  for (const { content, version } of carried) {
    if (done.has(content.contentId)) continue;
    done.add(content.contentId);
    const place = contentFolder(content.contentId);
    sources.push(folder(place), bytes(`${place}/index.json`, await readFile(join(version.folder, "index.json"))), bytes(`${place}/chunks.bin`, await readFile(join(version.folder, "chunks.bin"))));
    const wim = await open(version);
    if (version.index.shape === "files") sources.push({ kind: "tree", wim, image: 1, destination: `${place}/files`, securityDescriptor });
    else sources.push(folder(`${place}/files`), { kind: "file", destination: `${place}/files/image.wim`, from: { path: version.wimPath }, size: version.storedBytes, wim, sha1: await wholeSha1(version, signal), unix: rootOnlyFile, securityDescriptor });
  }
  return sources;
}

/** `.sha256` as sha256sum reads it, and the sheet for people. */
async function writeCompanions(output: string, { size, sha256 }: { size: number; sha256: string }, manifest: Manifest, mediaId: string): Promise<void> {
  await writeFile(`${output}.sha256`, `${sha256}  ${basename(output)}\n`);
  await writeFile(`${output}.txt`, mediaSheet(manifest, { name: basename(output), mediaId, size, sha256 }));
  for (const path of [`${output}.sha256`, `${output}.txt`]) await syncPath(path);
}

/** 100 ns since 1601-01-01 UTC. */
function fileTimeOf(date: Date): bigint {
  return (BigInt(date.getTime()) + 11_644_473_600_000n) * 10_000n;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
