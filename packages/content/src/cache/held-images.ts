import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { openWimFile } from "@prestage/wim";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { parseChunkList } from "../description/chunking.ts";
import type { ContentIndex, IndexFile } from "../description/schema.ts";
import { describedFiles } from "../patches/described-files.ts";
import { ImageChunks } from "./image-chunks.ts";
import { resourcesBySha256 } from "./image-resources.ts";
import type { CacheAnswer, LocalCache } from "./local-cache.ts";
import type { LocalChunks } from "./local-chunks.ts";
import { PlaceBatch } from "./place-file.ts";

/** An OS image on the disk, and where the data of its files lie by SHA-256. */
interface HeldImage { wim: WimFile; resources: ReadonlyMap<string, ResourceHeader> }

/**
 * Writes the files that lie nowhere on the disk but inside an OS image there to their place: nothing of them is fetched. Each is hashed as it is
 * written; an image that is damaged there, or stored in a way that cannot be read here, does not have it. Returns the answer as it is then.
 */
export async function takeFromImages(cache: LocalCache, contentId: string, answer: CacheAnswer, others: readonly string[], signal?: AbortSignal): Promise<CacheAnswer> {
  const wanted = Map.groupBy(answer.files.filter(({ file, state }) => state !== "hit" && file.size > 0).map(({ file }) => file), (file) => file.sha256);
  if (wanted.size === 0) return answer;
  const taken = new Set<string>();
  const batch = new PlaceBatch(cache, contentId);
  for (const id of others) {
    const index = await cache.readIndex(id);
    if (index?.shape !== "image" || !filesInside(index).some(({ sha256 }) => wanted.has(sha256))) continue;
    const image = await openHeldImage(cache, id, index);
    try {
      for (const [sha256, [file, ...twins]] of wanted) {
        const resource = image?.resources.get(sha256);
        if (image === undefined || file === undefined || resource?.size !== file.size) continue;
        const from = await writeOut(cache, contentId, image.wim, resource, file, signal);
        if (from === undefined) continue;
        await batch.add(from, { paths: [file, ...twins].map(({ path }) => path) }, file.size);
        wanted.delete(sha256);
        taken.add(sha256);
      }
    } finally {
      await image?.wim.close();
    }
  }
  await batch.flush();
  const files = answer.files.map((one): CacheAnswer["files"][number] => (one.state !== "hit" && taken.has(one.file.sha256) ? { file: one.file, state: "hit", foundAt: cache.filePath(contentId, one.file.path) } : one));
  return { state: files.every(({ state }) => state === "hit") ? "hit" : answer.state, files };
}

/** Adds the chunks asked for that files inside these OS images have, as far as they are cut as `wanted` is. The images stay open as long as `chunks`. */
export async function addImageChunks(cache: LocalCache, chunks: LocalChunks, contentIds: readonly string[], wanted: ContentIndex, asked: ReadonlySet<string>): Promise<void> {
  for (const id of contentIds) {
    const index = await cache.readIndex(id);
    const lists = index !== undefined && isCutAlike(index, wanted) ? await cache.readChunks(id, index) : undefined;
    if (index === undefined || lists === undefined) continue;
    const useful = describedFiles(index, lists).filter(({ chunkList }) => chunkList !== undefined && parseChunkList(chunkList).some(({ digest }) => asked.has(digest.toString("base64"))));
    const image = useful.length === 0 ? undefined : await openHeldImage(cache, id, index);
    if (image === undefined) continue;
    const found = new ImageChunks(image.wim);
    for (const { file, chunkList } of useful) {
      const resource = image.resources.get(file.sha256);
      if (chunkList !== undefined && resource?.size === file.size) found.add(resource, chunkList, asked);
    }
    chunks.addImage(found, () => image.wim.close());
  }
}

/** Whether `addImageChunks` may find any in one of these. */
export async function holdsImage(cache: LocalCache, contentIds: readonly string[], wanted: ContentIndex): Promise<boolean> {
  for (const id of contentIds) {
    const index = await cache.readIndex(id);
    if (index !== undefined && isCutAlike(index, wanted) && (await imagePath(cache, id, index)) !== undefined) return true;
  }
  return false;
}

/** The files inside an OS image's images; of other content, its own. */
export function filesInside(index: ContentIndex): IndexFile[] {
  return index.shape === "image" ? (index.images ?? []).flatMap(({ files }) => files) : index.files;
}

function isCutAlike(index: ContentIndex, wanted: ContentIndex): boolean {
  return index.shape === "image" && wanted.shape === "files" && index.chunking === wanted.chunking;
}

async function imagePath(cache: LocalCache, contentId: string, index: ContentIndex): Promise<string | undefined> {
  const [file] = index.files;
  if (file === undefined) return undefined;
  const path = cache.filePath(contentId, file.path);
  return (await lstat(path).then((status) => status.isFile() && status.size === file.size, () => false)) ? path : undefined;
}

async function openHeldImage(cache: LocalCache, contentId: string, index: ContentIndex): Promise<HeldImage | undefined> {
  const path = await imagePath(cache, contentId, index);
  const wim = path === undefined ? undefined : await openWimFile(path).catch(() => undefined);
  if (wim === undefined) return undefined;
  const resources = await resourcesBySha256(wim, index).catch(() => undefined);
  if (resources !== undefined) return { wim, resources };
  await wim.close();
  return undefined;
}

/** Writes one file's data beside the others; returns where, or undefined where they are not what they must be. */
async function writeOut(cache: LocalCache, contentId: string, wim: WimFile, resource: ResourceHeader, file: IndexFile, signal: AbortSignal | undefined): Promise<string | undefined> {
  const path = cache.partialPath(contentId, file.sha256);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  const hash = createHash("sha256");
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    for await (const bytes of wim.readResource(resource, signal === undefined ? {} : { signal })) {
      hash.update(bytes);
      await handle.writeFile(bytes);
    }
    if (hash.digest("hex") === file.sha256) return path;
  } catch {
    signal?.throwIfAborted(); // else it is fetched: a full disk is told then
  } finally {
    await handle.close();
  }
  await rm(path, { force: true });
  return undefined;
}
