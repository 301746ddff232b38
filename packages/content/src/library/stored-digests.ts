import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openWimFile, ResourceHasher, walkEntries } from "@prestage/wim";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { z } from "zod";
import { sha256Schema } from "../description/schema.ts";
import { storedDigest } from "../description/stored-digest.ts";
import type { StoredVersion } from "./content-library.ts";

const schema = z.strictObject({ format: z.literal("prestage-stored-v1"), storageSha256: sha256Schema, images: z.array(sha256Schema) });

/**
 * The digest of the stored bytes of each image of a version, over its files in the order of their paths. Reckoned once and kept beside the version, for its
 * storage map: who reads it elsewhere compares bytes with it, so a wrong one costs time alone.
 */
export async function storedDigests(version: Pick<StoredVersion, "folder" | "wimPath" | "storageSha256">, signal?: AbortSignal): Promise<string[]> {
  const path = join(version.folder, "stored.json");
  const kept = await readFile(path, "utf8").then((text) => schema.parse(JSON.parse(text))).catch(() => undefined);
  if (kept?.storageSha256 === version.storageSha256) return kept.images;
  const images = await reckon(version.wimPath, signal);
  const temporary = `${path}.${randomUUID()}`;
  // A library that cannot be written, such as another's, serves as well.
  await writeFile(temporary, JSON.stringify({ format: "prestage-stored-v1", storageSha256: version.storageSha256, images })).then(() => rename(temporary, path)).catch(() => rm(temporary, { force: true }));
  return images;
}

async function reckon(wimPath: string, signal: AbortSignal | undefined): Promise<string[]> {
  const wim = await openWimFile(wimPath);
  // Once for a version: not worth the memory of threads.
  const hasher = new ResourceHasher({ threads: 0, signal });
  try {
    const images: string[] = [];
    for (let image = 1; image <= wim.imageCount; image++) images.push(await storedDigest(wim, hasher, await filesOf(wim, image)));
    return images;
  } finally {
    await hasher.close();
    await wim.close();
  }
}

async function filesOf(wim: WimFile, image: number): Promise<(ResourceHeader | undefined)[]> {
  const files = [...walkEntries(await wim.readImage(image))].filter(({ entry }) => !entry.isDirectory && entry.reparseTag === undefined);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ entry }) => (entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource));
}
