import { walkEntries } from "@prestage/wim";
import type { ResourceHeader, WimFile, WimImage } from "@prestage/wim";
import type { ContentIndex } from "../description/schema.ts";

/** Data of a new image the disk does not hold: where they are stored, and - for a file the index names - their SHA-256. */
export interface MissingData { sha1: string; resource: ResourceHeader; sha256: string | undefined }

/**
 * What of an image is not in a base image: by SHA-1 as a WIM files data, and for every file the indexes name by SHA-256 too, so that two
 * different files of one SHA-1 are never taken for each other.
 */
export async function missingData(wim: WimFile, image: number, index: ContentIndex, base: WimFile, baseIndex: ContentIndex): Promise<MissingData[]> {
  const known = await sha256BySha1(base, baseIndex);
  const wanted = sha256ByPath(index, image);
  const missing = new Map<string, MissingData>();
  const tree = await wim.readImage(image);
  for (const { path, sha1, isFile } of dataOf(tree)) {
    const blob = wim.blobs.get(sha1);
    if (blob === undefined || missing.has(sha1)) continue;
    const sha256 = isFile ? wanted.get(path) : undefined;
    const held = base.blobs.has(sha1) && (sha256 === undefined || known.get(sha1) === sha256);
    if (!held) missing.set(sha1, { sha1, resource: blob.resource, sha256 });
  }
  return [...missing.values()].sort((a, b) => a.resource.offset - b.resource.offset);
}

/** The files of a version that is no image lie in image 1 of its WIM: the same, as an index of an image says it. */
export function inImages(index: ContentIndex): ContentIndex {
  return index.shape === "image" ? index : { ...index, images: [{ index: 1, name: "", files: index.files }] };
}

/** Where the data of a WIM's files lie, by the SHA-256 its index gives them. */
export async function resourcesBySha256(wim: WimFile, index: ContentIndex): Promise<Map<string, ResourceHeader>> {
  const found = new Map<string, ResourceHeader>();
  for (const [sha1, sha256] of await sha256BySha1(wim, index)) {
    const blob = wim.blobs.get(sha1);
    if (blob !== undefined) found.set(sha256, blob.resource);
  }
  return found;
}

/** Every stream of a tree; `isFile`: the unnamed data of a plain file. */
function* dataOf(tree: WimImage): Iterable<{ path: string; sha1: string; isFile: boolean }> {
  for (const { path, entry } of walkEntries(tree)) {
    if (entry.sha1 !== undefined) yield { path, sha1: entry.sha1, isFile: !entry.isDirectory && entry.reparseTag === undefined };
    for (const stream of entry.streams) if (stream.sha1 !== undefined) yield { path, sha1: stream.sha1, isFile: false };
  }
}

function sha256ByPath(index: ContentIndex, image: number): Map<string, string> {
  return new Map(index.images?.find((one) => one.index === image)?.files.map((file) => [file.path, file.sha256]));
}

async function sha256BySha1(wim: WimFile, index: ContentIndex): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  for (let image = 1; image <= wim.imageCount; image++) {
    const byPath = sha256ByPath(index, image);
    for (const { path, sha1, isFile } of dataOf(await wim.readImage(image))) {
      const sha256 = isFile ? byPath.get(path) : undefined;
      if (sha256 !== undefined) known.set(sha1, sha256);
    }
  }
  return known;
}
