import { findEntry, openWim, openWimFile } from "@prestage/wim";
import type { RandomAccessSource, WimFile } from "@prestage/wim";
import { MediaError } from "./error.ts";
import { contentFolder, mediaImages } from "./media-layout.ts";
import type { Manifest } from "./schema.ts";

/**
 * What the media's OS image says of its system: `windows` where its description in the WIM has a WINDOWS part, else `linux`;
 * undefined where the media carries none. Read from the nested .wim where it lies, since it is stored as it is.
 * @throws MediaError PRESTAGE_MEDIA_NOT_MEDIA, WimError
 */
export async function osImageSystem(path: string, manifest: Manifest): Promise<"windows" | "linux" | undefined> {
  const media = await openWimFile(path);
  try {
    return await osImageSystemOf(media, manifest);
  } finally {
    await media.close();
  }
}

/** The same of a media that is open. */
export async function osImageSystemOf(media: WimFile, { osImage }: Pick<Manifest, "osImage">): Promise<"windows" | "linux" | undefined> {
  if (osImage === undefined) return undefined;
  const name = `${contentFolder(osImage.contentId)}/files/image.wim`;
  const entry = findEntry(await media.readImage(mediaImages.data), name);
  if (entry?.sha1 === undefined) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${name} on the media; found none. Is this a media built by Prestage?`);
  const { resource } = media.blob(entry.sha1);
  if (resource.storedSize !== resource.size) throw new MediaError("PRESTAGE_MEDIA_NOT_MEDIA", `Expected /${name} stored as it is; found it compressed. Is this a media built by Prestage?`);
  const nested: RandomAccessSource = { size: resource.size, read: (offset, length) => media.source.read(resource.offset + offset, length), close: () => Promise.resolve() };
  const image = (await openWim(nested)).xml.images[osImage.index - 1];
  return image?.windows === undefined ? "linux" : "windows";
}
