import { createHash } from "node:crypto";
import { openIndex, spanSize } from "@prestage/content";
import type { ContentIndex } from "@prestage/content";
import { keysOfRole, openTrustedKeyring } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { openWimFile, unsafeNames, walkEntries } from "@prestage/wim";
import type { WimEntry, WimFile } from "@prestage/wim";
import { MediaError } from "./error.ts";
import { openManifest } from "./manifest.ts";
import { contentFolder, contentIdsOf, dataPaths, mediaImages } from "./media-layout.ts";
import type { Manifest } from "./schema.ts";

export interface InspectedMedia { manifest: Manifest; mediaId: string; keyring: Keyring; trustedBySite: boolean; size: number }
export interface MediaFinding { code: "PRESTAGE_MEDIA_FILE_DAMAGED" | "PRESTAGE_MEDIA_FILE_MISSING" | "PRESTAGE_MEDIA_FILE_UNEXPECTED"; path: string; message: string }
export interface VerifyMediaOptions { trustedKeyring?: Uint8Array; signal?: AbortSignal; onProgress?: (event: { done: number; total: number; name: string }) => void }

interface Expected { size: number; sha256: string; spans?: readonly string[] | undefined }

/**
 * Reads a media's manifest after checking its signature: under the keyring given, or else under the one on the media,
 * which proves that the media is whole, not who made it.
 * @throws MediaError PRESTAGE_MEDIA_NOT_MEDIA, TrustError, WimError
 */
export async function inspectMedia(path: string, options: VerifyMediaOptions = {}): Promise<InspectedMedia> {
  const wim = await openWimFile(path);
  try {
    return await inspectOpen(wim, await dataTree(wim), options);
  } finally {
    await wim.close();
  }
}

/**
 * Checks everything: signature, that both images hold exactly the files the manifest and the indexes name, and each file's SHA-256.
 * Returns what is wrong, empty for a good media.
 * @throws MediaError, TrustError, WimError where it is no media, or its signature does not verify
 */
export async function verifyMedia(path: string, options: VerifyMediaOptions = {}): Promise<{ media: InspectedMedia; files: number; bytes: number; findings: MediaFinding[] }> {
  const wim = await openWimFile(path);
  try {
    const data = await dataTree(wim);
    const media = await inspectOpen(wim, data, options);
    const esp = treeOf(await wim.readImage(mediaImages.boot));
    const expected = { esp: new Map<string, Expected>(), data: new Map<string, Expected>() };
    for (const file of media.manifest.files) expected[file.volume].set(file.path, file);
    for (const id of contentIdsOf(media.manifest)) {
      const { index, own } = await readContentIndex(wim, data, id);
      for (const [name, value] of own) expected.data.set(name, value);
      for (const file of index.files) expected.data.set(`${contentFolder(id)}/files/${file.path}`, file);
    }
    const manifestEntry = data.get(dataPaths.manifest);
    const total = [...expected.esp.values(), ...expected.data.values()].reduce((sum, file) => sum + file.size, 0);
    const findings: MediaFinding[] = [];
    let done = 0;
    for (const [volume, tree] of [["esp", esp], ["data", data]] as const) {
      for (const [name, file] of expected[volume]) {
        options.signal?.throwIfAborted();
        const finding = await checkEntry(wim, tree.get(name), `${volume}:/${name}`, file);
        if (finding !== undefined) findings.push(finding);
        options.onProgress?.({ done: (done += file.size), total, name });
      }
      for (const [name, entry] of tree) {
        if (entry === manifestEntry || expected[volume].has(name)) continue;
        findings.push({ code: "PRESTAGE_MEDIA_FILE_UNEXPECTED", path: `${volume}:/${name}`, message: `${volume}:/${name} is named by neither the manifest nor an index.` });
      }
    }
    return { media, files: expected.esp.size + expected.data.size + 1, bytes: total, findings };
  } finally {
    await wim.close();
  }
}

async function inspectOpen(wim: WimFile, data: Map<string, WimEntry>, options: VerifyMediaOptions): Promise<InspectedMedia> {
  const onMedia = await readSmall(wim, data, dataPaths.keyring);
  const keyring = openTrustedKeyring(options.trustedKeyring ?? onMedia);
  const { manifest, mediaId } = openManifest(await readSmall(wim, data, dataPaths.manifest), keysOfRole(keyring, "media"));
  const found = createHash("sha256").update(onMedia).digest("hex");
  if (found !== manifest.keyring.sha256) throw new MediaError("PRESTAGE_MEDIA_KEYRING_MISMATCH", `Expected the keyring with SHA-256 ${manifest.keyring.sha256}; found ${found} on the media.`);
  return { manifest, mediaId, keyring, trustedBySite: options.trustedKeyring !== undefined, size: wim.source.size };
}

async function dataTree(wim: WimFile): Promise<Map<string, WimEntry>> {
  if (wim.imageCount !== 2) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected a media with two images; found ${wim.imageCount}.`);
  return treeOf(await wim.readImage(mediaImages.data));
}

/** Files by path; a name that could leave its folder makes the whole media unusable. */
function treeOf(image: Awaited<ReturnType<WimFile["readImage"]>>): Map<string, WimEntry> {
  const unsafe = unsafeNames(image, "windows")[0];
  if (unsafe !== undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected safe names on the media; found ${JSON.stringify(unsafe)}.`);
  const files = new Map<string, WimEntry>();
  for (const { path, entry } of walkEntries(image)) if (!entry.isDirectory) files.set(path, entry);
  return files;
}

async function readContentIndex(wim: WimFile, data: Map<string, WimEntry>, id: string): Promise<{ index: ContentIndex; own: [string, Expected][] }> {
  const indexPath = `${contentFolder(id)}/index.json`;
  const chunksPath = `${contentFolder(id)}/chunks.bin`;
  const indexBytes = await readSmall(wim, data, indexPath);
  const chunks = await readSmall(wim, data, chunksPath, true);
  const expected = (bytes: Buffer): Expected => ({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  return { index: openIndex(indexBytes, id), own: [[indexPath, expected(indexBytes)], [chunksPath, expected(chunks)]] };
}

async function readSmall(wim: WimFile, tree: Map<string, WimEntry>, path: string, mayBeEmpty = false): Promise<Buffer> {
  const entry = tree.get(path);
  const blob = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
  if (entry !== undefined && blob === undefined && mayBeEmpty) return Buffer.alloc(0);
  if (blob === undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${path} on the media; found none. Is this a media built by Prestage?`);
  return Buffer.from(await wim.readResourceRange(blob.resource, 0, blob.resource.size));
}

async function checkEntry(wim: WimFile, entry: WimEntry | undefined, name: string, expected: Expected): Promise<MediaFinding | undefined> {
  if (entry === undefined) return { code: "PRESTAGE_MEDIA_FILE_MISSING", path: name, message: `Expected ${name} on the media; found none.` };
  const blob = entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
  const size = blob?.resource.size ?? 0;
  if (size !== expected.size) return { code: "PRESTAGE_MEDIA_FILE_DAMAGED", path: name, message: `Expected ${name} with ${expected.size} bytes; found ${size}.` };
  const whole = createHash("sha256");
  let span = createHash("sha256");
  const badSpans: number[] = [];
  let at = 0;
  for await (const piece of blob ? wim.readResource(blob.resource) : []) {
    whole.update(piece);
    for (let offset = 0; offset < piece.length; ) {
      const take = Math.min(piece.length - offset, spanSize - (at % spanSize));
      span.update(piece.subarray(offset, offset + take));
      at += take;
      offset += take;
      if (at % spanSize === 0 || at === size) {
        const number = Math.ceil(at / spanSize) - 1;
        if (expected.spans !== undefined && span.digest("hex") !== expected.spans[number]) badSpans.push(number);
        span = createHash("sha256");
      }
    }
  }
  const found = whole.digest("hex");
  if (found === expected.sha256) return undefined;
  const where = badSpans.length > 0 ? ` Bad spans of ${spanSize} bytes: ${badSpans.slice(0, 20).join(", ")}.` : "";
  return { code: "PRESTAGE_MEDIA_FILE_DAMAGED", path: name, message: `Expected ${name} with SHA-256 ${expected.sha256}; found ${found}.${where}` };
}
