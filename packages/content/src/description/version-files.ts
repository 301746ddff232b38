/**
 * The files of a version, in the order they are written: the storage map, without which nothing is fetched, last. A version of an older import has no
 * storage.json.zst.
 */
export const versionFiles = ["content.wim", "chunks.bin", "index.json", "index.json.zst", "storage.json.zst", "storage.json"] as const;
export const optionalFile = "storage.json.zst";
