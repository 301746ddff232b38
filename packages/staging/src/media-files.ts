import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openIndex, runWimlib } from "@prestage/content";
import { contentFolder, contentIdsOf, dataPaths, inspectMedia, mediaImages, osImageSystem, type InspectedMedia } from "@prestage/media";
import { StagingError } from "./error.ts";

export interface ExpectedFile {
  size: number;
  sha256: string;
}

/** What the two volumes of a staged disk hold, file by file, as the signed manifest and the indexes say. */
export interface MediaFiles {
  media: InspectedMedia;
  esp: Map<string, ExpectedFile>;
  data: Map<string, ExpectedFile>;
  /** Bytes of all files of a volume. */
  espBytes: number;
  dataBytes: number;
  /** Bytes of the OS image's files once it is applied. */
  osBytes: number;
  /** Whether the OS image is a Windows one, which wants an NTFS data volume. */
  windows: boolean;
}

/** Reads manifest and indexes of a media. */
export async function readMediaFiles(path: string, options: { trustedKeyring?: Uint8Array | undefined; signal?: AbortSignal | undefined } = {}): Promise<MediaFiles> {
  const media = await inspectMedia(path, options.trustedKeyring === undefined ? {} : { trustedKeyring: options.trustedKeyring });
  const files: MediaFiles = { media, esp: new Map(), data: new Map(), espBytes: 0, dataBytes: 0, osBytes: 0, windows: (await osImageSystem(path, media.manifest)) === "windows" };
  for (const file of media.manifest.files) files[file.volume].set(file.path, file);
  const folder = await mkdtemp(join(tmpdir(), "prestage-media-"));
  try {
    const ids = contentIdsOf(media.manifest);
    const own = [dataPaths.manifest, ...ids.flatMap((id) => [`${contentFolder(id)}/index.json`, `${contentFolder(id)}/chunks.bin`])];
    await runWimlib(["extract", path, String(mediaImages.data), ...own.map((name) => `/${name}`), `--dest-dir=${folder}`, "--preserve-dir-structure", "--no-acls"], options.signal === undefined ? {} : { signal: options.signal });
    for (const name of own) files.data.set(name, await describe(join(folder, name), name));
    for (const id of ids) {
      const index = openIndex(await readFile(join(folder, contentFolder(id), "index.json")), id);
      for (const file of index.files) files.data.set(`${contentFolder(id)}/files/${file.path}`, file);
      const os = media.manifest.osImage;
      if (os?.contentId !== id) continue;
      for (const file of index.images?.find((image) => image.index === os.index)?.files ?? []) files.osBytes += file.size;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  for (const file of files.esp.values()) files.espBytes += file.size;
  for (const file of files.data.values()) files.dataBytes += file.size;
  return files;
}

async function describe(path: string, name: string): Promise<ExpectedFile> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new StagingError("PRESTAGE_STAGING_MEDIA_DAMAGED", `Expected /${name} on the media, found none. Get the media again and compare its .sha256.`, { cause });
  });
  return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
