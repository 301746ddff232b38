import { createHash } from "node:crypto";
import { walkEntries, WimError } from "@prestage/wim";
import type { ResourceHasher, ResourceHeader, WimEntry, WimFile } from "@prestage/wim";
import { ContentError } from "../error.ts";
import type { IndexFile } from "../description/schema.ts";
import type { StoredVersion } from "./content-library.ts";

/** Files decoded at once. */
const atOnce = 512;
const emptySha256 = createHash("sha256").digest("hex");

/**
 * Decodes every file in the WIM of a version and compares it with the version's index: the same files, each with its size and SHA-256.
 * @throws ContentError PRESTAGE_CONTENT_DAMAGED, which names a file that is not as it was imported
 */
export async function checkDecoded(version: StoredVersion, wim: WimFile, hasher: ResourceHasher): Promise<void> {
  const { index, contentId } = version;
  const images = index.shape === "files" ? [index.files] : (index.images ?? []).map(({ files }) => files);
  if (images.length !== wim.imageCount) throw damaged(contentId, "content.wim", `${images.length} image(s)`, `${wim.imageCount}`);
  for (const [i, files] of images.entries()) await checkImage({ contentId, wim, hasher, image: i + 1 }, files);
}

interface Checked { contentId: string; wim: WimFile; hasher: ResourceHasher; image: number }

async function checkImage(checked: Checked, files: readonly IndexFile[]): Promise<void> {
  const { contentId, wim, image } = checked;
  const entries = new Map([...walkEntries(await wim.readImage(image))].filter(({ entry }) => !entry.isDirectory && entry.reparseTag === undefined).map(({ path, entry }) => [path, entry]));
  const known = new Set(files.map(({ path }) => path));
  const other = [...entries.keys()].find((path) => !known.has(path));
  if (other !== undefined) throw damaged(contentId, other, "no such file", "one");
  const hashes = new Map<string, Promise<string>>();
  for (let first = 0; first < files.length; first += atOnce) await Promise.all(files.slice(first, first + atOnce).map(async (file) => await checkFile(checked, hashes, file, entries.get(file.path))));
}

async function checkFile({ contentId, wim, hasher }: Checked, hashes: Map<string, Promise<string>>, file: IndexFile, entry: WimEntry | undefined): Promise<void> {
  if (entry === undefined) throw damaged(contentId, file.path, "the file", "none");
  const resource = entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource;
  const size = resource?.size ?? 0;
  if (size !== file.size) throw damaged(contentId, file.path, `${file.size} bytes`, `${size}`);
  const found = await hashOnce(wim, hasher, hashes, entry.sha1, resource).catch((cause: unknown) => throwDamage(contentId, cause, file.path));
  if (found !== file.sha256) throw damaged(contentId, file.path, `SHA-256 ${file.sha256}`, found);
}

/** Equal files are stored, and decoded, once. */
async function hashOnce(wim: WimFile, hasher: ResourceHasher, hashes: Map<string, Promise<string>>, sha1: string | undefined, resource: ResourceHeader | undefined): Promise<string> {
  if (sha1 === undefined || resource === undefined) return emptySha256;
  const hash = hashes.get(sha1) ?? hasher.hash(wim, resource, 0, resource.size, "sha256");
  hashes.set(sha1, hash);
  return await hash;
}

/** What cannot be decoded is damaged; what cannot be read may be good. */
export function throwDamage(contentId: string, cause: unknown, path = "content.wim"): never {
  if (cause instanceof WimError && cause.code !== "PRESTAGE_WIM_IO") throw damaged(contentId, path, "data that can be decoded", cause.message, cause);
  throw cause;
}

function damaged(contentId: string, path: string, expected: string, found: string, cause?: WimError): ContentError {
  return new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${expected} for ${JSON.stringify(path)} of content ${contentId} in the library, as it was imported; found ${found}. Import it again: a damaged version is replaced.`, { ...(cause && { cause }) });
}
