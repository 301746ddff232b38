import { createHash } from "node:crypto";
import { checkChunkLists, ContentError, openIndex, spanSize, storedDigest } from "@prestage/content";
import { keysOfRole, maximumDocumentBytes, openTrustedKeyring } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { openWimFile, ResourceHasher, unsafeNames, walkEntries, WimError, worthThreads } from "@prestage/wim";
import type { WimEntry, WimFile } from "@prestage/wim";
import { checkEntry } from "./check-entry.ts";
import { storedGroups } from "./stored-groups.ts";
import type { StoredGroup, WantedFile } from "./stored-groups.ts";
import type { ExpectedFile, MediaFinding } from "./check-entry.ts";
import { MediaError } from "./error.ts";
import { openManifest } from "./manifest.ts";
import { contentFolder, contentIdsOf, dataPaths, mediaImages } from "./media-layout.ts";
import type { Manifest } from "./schema.ts";

export interface InspectedMedia { manifest: Manifest; mediaId: string; keyring: Keyring; trustedBySite: boolean; size: number }
export interface VerifyMediaOptions { trustedKeyring?: Uint8Array; signal?: AbortSignal; onProgress?: (event: { done: number; total: number; name: string }) => void; /** Decode and hash every file, also those whose stored bytes are as the manifest says. */ deep?: boolean }

/** No index or chunk list is larger. */
const maximumIndexBytes = 512 * 1024 * 1024;

/**
 * Reads a media's manifest after checking its signature: under the keyring given, or else under the one on the media,
 * which proves that the media is whole, not who made it.
 * @throws MediaError PRESTAGE_MEDIA_NOT_MEDIA, TrustError, WimError
 */
export async function inspectMedia(path: string, options: VerifyMediaOptions = {}): Promise<InspectedMedia> {
  const wim = await openWimFile(path);
  try {
    const data = await dataTree(wim);
    treeOf(await wim.readImage(mediaImages.boot));
    return await inspectOpen(wim, data, options);
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
  const hasher = new ResourceHasher({ ...(wim.source.size < worthThreads && { threads: 0 }), signal: options.signal });
  try {
    hasher.warm();
    // Large files that are not compressed are asked for in spans, whatever the manifest says of them.
    for (const { resource } of wim.blobs.values()) if (resource.size > spanSize) hasher.ahead(wim, resource, spanSize, "sha256");
    const data = await dataTree(wim);
    const media = await inspectOpen(wim, data, options);
    const trees = { esp: treeOf(await wim.readImage(mediaImages.boot)), data };
    const { expected, unknown, findings } = await expectedFiles(wim, data, media.manifest);
    const wanted = (["esp", "data"] as const).flatMap((volume) => [...expected[volume]].map(([path, file]) => ({ volume, path, name: `${volume}:/${path}`, file, entry: trees[volume].get(path) })));
    findings.push(...await checkAll(wim, hasher, wanted, media.manifest, options), ...unexpectedFiles(trees, expected, unknown));
    findings.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { media, files: wanted.length + 1, bytes: bytesOf(wanted), findings };
  } finally {
    await hasher.close();
    await wim.close();
  }
}

function bytesOf(files: readonly WantedFile[]): number {
  return files.reduce((sum, { file }) => sum + file.size, 0);
}

/** Each file once: those whose stored bytes are the ones the manifest signs by name and form alone, as what they decode to was checked at the site. */
async function checkAll(wim: WimFile, hasher: ResourceHasher, wanted: readonly WantedFile[], manifest: Manifest, { signal, onProgress, deep }: VerifyMediaOptions): Promise<MediaFinding[]> {
  const total = bytesOf(wanted);
  let done = 0;
  const work: CheckWork = { wim, hasher, signal, onBytes: (bytes, name) => onProgress?.({ done: (done += bytes), total, name }) };
  const { groups, others } = deep === true ? { groups: [], others: wanted } : storedGroups(wanted, manifest);
  const checked = groups.map(async (group) => await checkFiles(work, group.files, await storedAsSigned(work, group)));
  return (await Promise.all([checkFiles(work, others, false), ...checked])).flat();
}

interface CheckWork { wim: WimFile; hasher: ResourceHasher; signal: AbortSignal | undefined; onBytes: (bytes: number, name: string) => void }

/** False where a byte, or the form they are stored in, differs: another tool wrote the media, or it is damaged. */
async function storedAsSigned({ wim, hasher, onBytes }: CheckWork, { files, digest }: StoredGroup): Promise<boolean> {
  const resources = files.map(({ entry }) => (entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource));
  let counted = 0;
  const [{ name } = { name: "" }] = files;
  const found = await storedDigest(wim, hasher, resources, (bytes) => {
    counted += bytes;
    onBytes(bytes, name);
  }).catch((cause: unknown) => {
    if (cause instanceof WimError) return undefined;
    throw cause;
  });
  onBytes(-counted, name); // each file is counted when it is checked
  return found === digest;
}

/** Each file against what is expected, read in the order it is stored. `asSigned`: their data are known to be right. */
async function checkFiles({ wim, hasher, signal, onBytes: count }: CheckWork, wanted: readonly WantedFile[], asSigned: boolean): Promise<MediaFinding[]> {
  const findings: MediaFinding[] = [];
  const offset = ({ entry }: WantedFile) => (entry?.sha1 === undefined ? 0 : (wim.blobs.get(entry.sha1)?.resource.offset ?? 0));
  await inLanes(wanted.toSorted((a, b) => offset(a) - offset(b)), async (item) => {
    signal?.throwIfAborted();
    let counted = 0;
    const onBytes = (bytes: number) => {
      counted += bytes;
      count(bytes, item.name);
    };
    const finding = await checkEntry({ wim, hasher, onBytes, asSigned }, item.entry, item.name, item.file);
    if (finding !== undefined) findings.push(finding);
    count(item.file.size - counted, item.name); // of what is missing or damaged less was read
  });
  return findings;
}

type Expected = Record<"esp" | "data", Map<string, ExpectedFile>>;

/** What the manifest and the indexes name. An index or chunk list that is not the one named is a finding itself; what a bad index would name is unknown. */
async function expectedFiles(wim: WimFile, data: Map<string, WimEntry>, manifest: Manifest): Promise<{ expected: Expected; unknown: string[]; findings: MediaFinding[] }> {
  const expected: Expected = { esp: new Map(), data: new Map() };
  const findings: MediaFinding[] = [];
  const unknown: string[] = [];
  for (const file of manifest.files) expected[file.volume].set(file.path, file);
  for (const id of contentIdsOf(manifest)) {
    const folder = contentFolder(id);
    const read = async (name: string) => {
      const bytes = await readSmall(wim, data, `${folder}/${name}`, maximumIndexBytes);
      expected.data.set(`${folder}/${name}`, { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
      return bytes;
    };
    const index = await orFinding(findings, `${folder}/index.json`, async () => openIndex(await read("index.json"), id));
    if (index === undefined) unknown.push(`${folder}/`);
    else await orFinding(findings, `${folder}/chunks.bin`, async () => checkChunkLists(index, await read("chunks.bin")));
    for (const file of index?.files ?? []) expected.data.set(`${folder}/files/${file.path}`, file);
  }
  return { expected, unknown, findings };
}

/** Turns damage into a finding; anything else is thrown on. */
async function orFinding<T>(findings: MediaFinding[], path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof ContentError || cause instanceof MediaError || cause instanceof WimError)) throw cause;
    findings.push({ code: "PRESTAGE_MEDIA_FILE_DAMAGED", path: `data:/${path}`, message: `data:/${path}: ${cause.message}` });
    return undefined;
  }
}

function unexpectedFiles(trees: Record<"esp" | "data", Map<string, WimEntry>>, expected: Expected, unknown: readonly string[]): MediaFinding[] {
  return (["esp", "data"] as const).flatMap((volume) =>
    [...trees[volume].keys()]
      .filter((name) => !expected[volume].has(name) && !(volume === "data" && (name === dataPaths.manifest || unknown.some((folder) => name.startsWith(folder)))))
      .map((name): MediaFinding => ({ code: "PRESTAGE_MEDIA_FILE_UNEXPECTED", path: `${volume}:/${name}`, message: `${volume}:/${name} is named by neither the manifest nor an index.` })),
  );
}

/** Files asked for at once: threads are given small ones by hundreds. */
const lanes = 512;

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export async function inspectOpen(wim: WimFile, data: Map<string, WimEntry>, options: VerifyMediaOptions): Promise<InspectedMedia> {
  const onMedia = await readSmall(wim, data, dataPaths.keyring, maximumDocumentBytes);
  const keyring = openTrustedKeyring(options.trustedKeyring ?? onMedia);
  const { manifest, mediaId } = openManifest(await readSmall(wim, data, dataPaths.manifest, maximumDocumentBytes * 1.5), keysOfRole(keyring, "media"));
  const found = createHash("sha256").update(onMedia).digest("hex");
  if (found !== manifest.keyring.sha256) throw new MediaError("PRESTAGE_MEDIA_KEYRING_MISMATCH", `Expected the keyring with SHA-256 ${manifest.keyring.sha256}; found ${found} on the media.`);
  return { manifest, mediaId, keyring, trustedBySite: options.trustedKeyring !== undefined, size: wim.source.size };
}

export async function dataTree(wim: WimFile): Promise<Map<string, WimEntry>> {
  if (wim.imageCount !== 2) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected a media with two images; found ${wim.imageCount}.`);
  return treeOf(await wim.readImage(mediaImages.data));
}

/** Files by path; a name that could leave its folder makes the whole media unusable. */
export function treeOf(image: Awaited<ReturnType<WimFile["readImage"]>>): Map<string, WimEntry> {
  const unsafe = unsafeNames(image, "windows")[0];
  if (unsafe !== undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected safe names on the media; found ${JSON.stringify(unsafe)}.`);
  const files = new Map<string, WimEntry>();
  for (const { path, entry } of walkEntries(image)) if (!entry.isDirectory) files.set(path, entry);
  return files;
}

/** Reads a whole file of at most `limit` bytes into memory. */
export async function readSmall(wim: WimFile, tree: Map<string, WimEntry>, path: string, limit: number): Promise<Buffer> {
  const entry = tree.get(path);
  if (entry === undefined || entry.reparseTag !== undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${path} on the media; found none. Is this a media built by Prestage?`);
  if (entry.sha1 === undefined) return Buffer.alloc(0);
  const { resource } = wim.blob(entry.sha1);
  if (resource.size > limit) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${path} with at most ${limit} bytes; found ${resource.size}.`);
  return Buffer.from(await wim.readResourceRange(resource, 0, resource.size));
}
