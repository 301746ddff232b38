import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { piecesOf } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import { openStorageMap } from "../description/index-document.ts";
import type { IndexFile, StoredFile } from "../description/schema.ts";
import { wholeWimAsStoredFile } from "../description/storage-map.ts";
import type { StoredVersion } from "../library/content-library.ts";

/** Files with the same bytes are one. */
export function distinct(files: readonly IndexFile[]): Map<string, IndexFile[]> {
  return Map.groupBy(files, (file) => file.sha256);
}

/** Where a file is stored, and which of its chunks nobody holds; `missing` undefined: none is held, or it has none. */
export interface PaperPlace { stored: StoredFile; missing: FilePiece[] | undefined }

/** `places`: where the version's files lie, by path. */
export function placeOf(twins: readonly IndexFile[], places: ReadonlyMap<string, StoredFile>, lists: ReadonlyMap<string, Buffer>, chunks: ReadonlySet<string>): PaperPlace {
  const [file] = twins;
  const stored = places.get(file?.path ?? "");
  if (file === undefined || stored === undefined) throw new RangeError(`expected the storage map to place ${file?.path ?? ""}`);
  const pieces = piecesOf(file, lists.get(file.path));
  const missing = pieces?.filter((piece) => !chunks.has(piece.digest.toString("base64")));
  return { stored, missing: missing?.length === pieces?.length ? undefined : missing };
}

/** Where a version's files lie, by path; an image is one file, the stored WIM itself. */
export async function storedPlaces({ index, folder, storageSha256 }: StoredVersion): Promise<ReadonlyMap<string, StoredFile>> {
  const map = openStorageMap(await readFile(join(folder, "storage.json")), storageSha256);
  const [image] = index.files;
  const files = index.shape === "image" && image !== undefined ? [wholeWimAsStoredFile(image.size)] : map.files;
  return new Map(files.map((file) => [file.path, file]));
}
