import { walkEntries } from "@prestage/wim";
import type { ResourceHeader, WimFile, WimImage } from "@prestage/wim";
import type { ContentIndex } from "../description/schema.ts";

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
export function* dataOf(tree: WimImage): Iterable<{ path: string; sha1: string; isFile: boolean }> {
  for (const { path, entry } of walkEntries(tree)) {
    if (entry.sha1 !== undefined) yield { path, sha1: entry.sha1, isFile: !entry.isDirectory && entry.reparseTag === undefined };
    for (const stream of entry.streams) if (stream.sha1 !== undefined) yield { path, sha1: stream.sha1, isFile: false };
  }
}

export function sha256ByPath(index: ContentIndex, image: number): Map<string, string> {
  return new Map(index.images?.find((one) => one.index === image)?.files.map((file) => [file.path, file.sha256]));
}

/** What the indexes call by SHA-256, by the SHA-1 a WIM files data under. */
export async function sha256BySha1(wim: WimFile, index: ContentIndex): Promise<Map<string, string>> {
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
