import { chunkRecordSize } from "../description/chunking.ts";
import { chunkListOffsets } from "../description/index-document.ts";
import type { ContentIndex, IndexFile } from "../description/schema.ts";

/** A file of a version, or of an image in it; `image` is the image of the stored WIM it lies in, from 1. */
export interface DescribedFile { file: IndexFile; image: number; chunkList: Buffer | undefined }

/** Every file a version is made of: its own, or - of an OS image - those inside its images. `chunks`: its chunks.bin. */
export function describedFiles(index: ContentIndex, chunks: Buffer): DescribedFile[] {
  const offsets = chunkListOffsets(index);
  const listOf = (file: IndexFile): Buffer | undefined => {
    const at = offsets.get(file);
    return at === undefined || file.chunks === undefined ? undefined : chunks.subarray(at, at + file.chunks.count * chunkRecordSize);
  };
  if (index.shape === "files") return index.files.map((file) => ({ file, image: 1, chunkList: listOf(file) }));
  return (index.images ?? []).flatMap(({ index: image, files }) => files.map((file) => ({ file, image, chunkList: listOf(file) })));
}
