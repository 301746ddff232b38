import type { ResourceHeader, WimFile } from "@prestage/wim";
import { dataOf, sha256ByPath, sha256BySha1 } from "../cache/image-resources.ts";
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
