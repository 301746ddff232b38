import type { ResourceHeader, WimFile } from "@prestage/wim";
import type { StoredFile } from "./schema.ts";

/** Where a file's resource lies in its WIM, with the size of each stored chunk. */
export async function storedFileOf(wim: WimFile, path: string, resource: ResourceHeader): Promise<StoredFile> {
  const compression = (resource.flags & 4) === 0 ? "none" : wim.header.compression;
  if (compression === "none") return { path, offset: resource.offset, storedSize: resource.storedSize, size: resource.size, compression, chunkSize: 32768, tableSize: 0, chunkSizes: [] };
  const table = await wim.chunkTable(resource);
  return {
    path, offset: resource.offset, storedSize: resource.storedSize, size: resource.size, compression,
    chunkSize: table.chunkSize, tableSize: (table.offsets[0] ?? resource.offset) - resource.offset, chunkSizes: table.sizes,
  };
}

/** An image's one file is the stored WIM itself. */
export function wholeWimAsStoredFile(size: number): StoredFile {
  return { path: "image.wim", offset: 0, storedSize: size, size, compression: "none", chunkSize: 32768, tableSize: 0, chunkSizes: [] };
}
