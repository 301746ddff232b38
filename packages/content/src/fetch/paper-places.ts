import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { piecesOf } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import { openStorageMap } from "../description/index-document.ts";
import type { IndexFile, StorageMap, StoredFile } from "../description/schema.ts";
import { wholeWimAsStoredFile } from "../description/storage-map.ts";
import type { StoredVersion } from "../library/content-library.ts";

/** Files with the same bytes are one. */
export function distinct(files: readonly IndexFile[]): Map<string, IndexFile[]> {
  return Map.groupBy(files, (file) => file.sha256);
}

/** Where a file is stored, and which of its chunks nobody holds; `missing` undefined: none is held, or it has none. */
export interface PaperPlace { stored: StoredFile; missing: FilePiece[] | undefined }

export function placeOf(twins: readonly IndexFile[], storage: StorageMap, lists: ReadonlyMap<string, Buffer>, chunks: ReadonlySet<string>): PaperPlace {
  const [file] = twins;
  const stored = storage.files.find((one) => one.path === file?.path);
  if (file === undefined || stored === undefined) throw new RangeError(`expected the storage map to place ${file?.path ?? ""}`);
  const pieces = piecesOf(file, lists.get(file.path));
  const missing = pieces?.filter((piece) => !chunks.has(piece.digest.toString("base64")));
  return { stored, missing: missing?.length === pieces?.length ? undefined : missing };
}

/** Where a version's files lie; an image is one file, the stored WIM itself. */
export async function storageOf({ index, folder, storageSha256 }: StoredVersion): Promise<StorageMap> {
  const map = openStorageMap(await readFile(join(folder, "storage.json")), storageSha256);
  const [image] = index.files;
  return index.shape === "image" && image !== undefined ? { ...map, files: [wholeWimAsStoredFile(image.size)] } : map;
}
