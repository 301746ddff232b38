import { openHttpSource, openWim, openWimFile, walkEntries } from "@prestage/wim";
import type { HttpFetch, HttpSource, ResourceHeader, WimEntry, WimFile, WimImage } from "@prestage/wim";
import { MediaError } from "./error.ts";
import { mediaImages } from "./media-layout.ts";
import { osImageSystemOf } from "./os-image-system.ts";
import { inspectOpen, treeOf } from "./verify-media.ts";
import type { InspectedMedia } from "./verify-media.ts";

/** A file or folder on a media, with its owner, mode and times. */
export type MediaEntry = WimEntry;
export type MediaVolume = "esp" | "data";

export interface OpenMediaOptions { trustedKeyring?: Uint8Array | undefined; /** By default Node's own. */ fetch?: HttpFetch; signal?: AbortSignal | undefined }

/** A media of which single files are read, at any place in them. */
export interface OpenMedia {
  readonly media: InspectedMedia;
  readonly system: "windows" | "linux" | undefined;
  /** The files of each volume by path. */
  readonly files: Readonly<Record<MediaVolume, ReadonlyMap<string, MediaEntry>>>;
  /** The folders of the data volume by path. */
  readonly folders: ReadonlyMap<string, MediaEntry>;
  /** Bytes fetched so far; 0 for a file. */
  readonly fetched: number;
  /** @throws MediaError PRESTAGE_MEDIA_NOT_MEDIA */
  size(volume: MediaVolume, path: string): number;
  /** Exactly `length` bytes of a file from `offset`; not checked against any hash. @throws WimError, MediaError PRESTAGE_MEDIA_NOT_MEDIA */
  read(volume: MediaVolume, path: string, offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a media, a file or the address of one at a web server with ranges, of which only tables and what is read are fetched. Its
 * signature is checked under the keyring given, else under the one on it.
 * @throws MediaError PRESTAGE_MEDIA_NOT_MEDIA, TrustError, WimError
 */
export async function openMedia(location: string, options: OpenMediaOptions = {}): Promise<OpenMedia> {
  const { fetch, signal } = options;
  const remote = /^https?:\/\//.test(location) ? await openHttpSource(location, { ...(fetch && { fetch }), ...(signal && { signal }) }) : undefined;
  const wim = remote === undefined ? await openWimFile(location) : await openWim(remote);
  try {
    return await readTrees(wim, remote, options);
  } catch (cause) {
    await wim.close();
    throw cause;
  }
}

async function readTrees(wim: WimFile, remote: HttpSource | undefined, { trustedKeyring }: OpenMediaOptions): Promise<OpenMedia> {
  if (wim.imageCount !== 2) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected a media with two images; found ${wim.imageCount}.`);
  const image = await wim.readImage(mediaImages.data);
  const files = { esp: treeOf(await wim.readImage(mediaImages.boot)), data: treeOf(image) };
  const media = await inspectOpen(wim, files.data, trustedKeyring === undefined ? {} : { trustedKeyring });
  const system = await osImageSystemOf(wim, media.manifest);
  const resourceOf = (volume: MediaVolume, path: string): ResourceHeader | undefined => {
    const entry = files[volume].get(path);
    if (entry === undefined || entry.reparseTag !== undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${path} on the media; found none. Is this a media built by Prestage?`);
    return entry.sha1 === undefined ? undefined : wim.blob(entry.sha1).resource;
  };
  return {
    media, system, files, folders: foldersOf(image),
    get fetched() {
      return remote?.traffic.bytes ?? 0;
    },
    size: (volume, path) => resourceOf(volume, path)?.size ?? 0,
    async read(volume, path, offset, length) {
      const resource = resourceOf(volume, path);
      if (length === 0) return new Uint8Array();
      if (resource === undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected ${offset + length} bytes of /${path} on the media; found it empty.`);
      return wim.readResourceRange(resource, offset, length);
    },
    close: () => wim.close(),
  };
}

function foldersOf(image: WimImage): Map<string, WimEntry> {
  const folders = new Map<string, WimEntry>();
  for (const { path, entry } of walkEntries(image)) if (entry.isDirectory) folders.set(path, entry);
  return folders;
}
