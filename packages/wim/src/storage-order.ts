import type { BlobEntry } from "./blob-table.ts";
import type { Volume } from "./volume.ts";

/** Blobs in the order they are stored, so that each chunk of a solid resource is decoded once and files are read front to back. */
export function inStorageOrder<T extends Pick<BlobEntry, "resource">>(blobs: Iterable<T>): T[] {
  const volumes = new Map<Volume | undefined, number>();
  const keyed = [...blobs].map((blob) => {
    const { offset, place } = blob.resource;
    const volume = volumes.get(place?.volume) ?? volumes.size;
    volumes.set(place?.volume, volume);
    return { blob, volume, start: place?.solid?.resources[0]?.offset ?? offset, offset };
  });
  keyed.sort((a, b) => a.volume - b.volume || a.start - b.start || a.offset - b.offset);
  return keyed.map(({ blob }) => blob);
}
