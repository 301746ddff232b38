import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkChunkLists, openIndex, openStorageMap, unpackIndex, unpackStorageMap } from "../description/index-document.ts";
import { openPatchIndex, patchFileNames } from "../patches/patch-index.ts";
import { openPieceHeader } from "../pieces/piece-pack.ts";
import { patchFilePattern, sha256Schema } from "../description/schema.ts";
import type { StorageMap } from "../description/schema.ts";
import { sourceOfFile } from "../fetch/file-source.ts";
import { openStoredSource } from "./single-instance/stored-source.ts";
import { optionalFile } from "../description/version-files.ts";

/** What is wrong with a file of a version in the library. */
export interface LibraryFault { contentId: string; file: string; fault: string }
export interface ValidateOptions { signal?: AbortSignal; onProgress?: (event: { done: number; total: number }) => void }

/**
 * Reads all of a version, in its `folder` of the library, and compares it with what it must be. `storageSha256`: the hash of its storage map, where it is
 * known from elsewhere. Never throws for a bad file.
 */
export async function validateVersion(folder: string, contentId: string, storageSha256: string | undefined, options: ValidateOptions = {}): Promise<LibraryFault[]> {
  const faults: LibraryFault[] = [];
  const check = async <T>(file: string, use: (bytes: Buffer) => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await use(await readFile(join(folder, file)));
    } catch (cause) {
      faults.push({ contentId, file, fault: cause instanceof Error ? cause.message : String(cause) });
      return undefined;
    }
  };
  const index = await check("index.json", (bytes) => openIndex(bytes, contentId));
  await check("index.json.zst", (bytes) => unpackIndex(bytes, contentId));
  if (index !== undefined) await check("chunks.bin", (bytes) => checkChunkLists(index, bytes));
  const storage = await check("storage.json", (bytes) => ({ map: openStorageMap(bytes, storageSha256), sha256: createHash("sha256").update(bytes).digest("hex") }));
  const isPacked = await lstat(join(folder, optionalFile)).then(() => true, () => false);
  if (storage !== undefined && isPacked) await check(optionalFile, (bytes) => unpackStorageMap(bytes, storage.sha256));
  if (storage !== undefined) faults.push(...(await validateWim(folder, contentId, storage.map, options)));
  for (const name of (await readdir(folder).catch(() => [])).filter((one) => patchFilePattern.test(one) && one.endsWith(".json.zst"))) faults.push(...(await validatePatches(folder, contentId, name)));
  return faults;
}

async function validateWim(folder: string, contentId: string, storage: StorageMap, { signal, onProgress }: ValidateOptions): Promise<LibraryFault[]> {
  const fault = (text: string): LibraryFault[] => [{ contentId, file: "content.wim", fault: text }];
  const hash = createHash("sha256");
  let done = 0;
  try {
    const source = await openStoredSource(folder);
    try {
      for await (const bytes of sourceOfFile(source)) {
        signal?.throwIfAborted();
        hash.update(bytes);
        done += bytes.length;
        onProgress?.({ done, total: storage.wimSize });
      }
    } finally {
      await source.close();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    return fault(cause instanceof Error ? cause.message : String(cause));
  }
  const found = hash.digest("hex");
  if (done !== storage.wimSize) return fault(`expected ${storage.wimSize} bytes, found ${done}`);
  return found === storage.wimSha256 ? [] : fault(`expected SHA-256 ${storage.wimSha256}, found ${found}`);
}

/** A pack of patches whose list cannot be read, or any of whose frames is not there, is of no use; their bytes are checked where they are used. */
async function validatePatches(folder: string, contentId: string, name: string): Promise<LibraryFault[]> {
  const from = sha256Schema.parse(name.slice("patch-".length, "patch-".length + 64));
  if (from === contentId) return validatePieces(folder, contentId, name);
  try {
    const index = openPatchIndex(await readFile(join(folder, name)), { from, to: contentId });
    let size = 0;
    for await (const bytes of createReadStream(join(folder, `patch-${from}.bin`)) as AsyncIterable<Buffer>) size += bytes.length;
    return size === index.size ? [] : [{ contentId, file: `patch-${from}.bin`, fault: `expected ${index.size} bytes, found ${size}` }];
  } catch (cause) {
    return [{ contentId, file: name, fault: cause instanceof Error ? cause.message : String(cause) }];
  }
}

/** A pack of pieces is wholly bound by its header. */
async function validatePieces(folder: string, contentId: string, name: string): Promise<LibraryFault[]> {
  const file = patchFileNames(contentId).data;
  try {
    const header = openPieceHeader(await readFile(join(folder, name)), { contentId });
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(join(folder, file), { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(bytes);
    const found = hash.digest("hex");
    return found === header.sha256 ? [] : [{ contentId, file, fault: `expected SHA-256 ${header.sha256}, found ${found}` }];
  } catch (cause) {
    return [{ contentId, file: name, fault: cause instanceof Error ? cause.message : String(cause) }];
  }
}
