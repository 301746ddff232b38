import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ResourceHasher, walkEntries, worthThreads } from "@prestage/wim";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import { z } from "zod";
import { sha256Schema } from "../description/schema.ts";
import { storedDigest } from "../description/stored-digest.ts";
import { checkDecoded, throwDamage } from "./check-decoded.ts";
import type { StoredVersion } from "./content-library.ts";
import { openStoredWim } from "./single-instance/stored-source.ts";

export const storedNoteName = "stored.json";
/** Notes of the form before this one may tell of bytes that nobody had decoded. */
const format = "prestage-stored-note-v2";
const schema = z.strictObject({ format: z.literal(format), storageSha256: sha256Schema, images: z.array(sha256Schema) });

/**
 * The digest of the stored bytes of each image of a version, over its files in the order of their paths. Kept beside the version, for its storage map. Where
 * there is no note, as for images and older imports, every file is decoded and compared with the index first: a media signs these digests as good.
 * @throws ContentError PRESTAGE_CONTENT_DAMAGED
 */
export async function storedDigests(version: StoredVersion, signal?: AbortSignal): Promise<string[]> {
  const path = join(version.folder, storedNoteName);
  const kept = await readFile(path, "utf8").then((text) => schema.parse(JSON.parse(text))).catch(() => undefined);
  if (kept?.storageSha256 === version.storageSha256) return kept.images;
  const images = await reckonChecked(version, signal);
  const temporary = `${path}.${randomUUID()}`;
  // A library that cannot be written, such as another's, serves as well.
  await writeFile(temporary, storedNote(version.storageSha256, images)).then(() => rename(temporary, path)).catch(() => rm(temporary, { force: true }));
  return images;
}

/** The note, for an import that decodes what it describes after these digests were reckoned. */
export function storedNote(storageSha256: string, images: readonly string[]): string {
  return JSON.stringify({ format, storageSha256, images });
}

/** The digests of what lies there, right or not. */
export async function reckonStored(wim: WimFile, hasher: ResourceHasher): Promise<string[]> {
  const images: string[] = [];
  for (let image = 1; image <= wim.imageCount; image++) images.push(await storedDigest(wim, hasher, await filesOf(wim, image)));
  return images;
}

async function reckonChecked(version: StoredVersion, signal: AbortSignal | undefined): Promise<string[]> {
  const wim = await openStoredWim(version).catch((cause: unknown) => throwDamage(version.contentId, cause));
  // Threads take memory, and are worth it for large versions alone.
  const hasher = new ResourceHasher({ ...(wim.source.size < worthThreads && { threads: 0 }), signal });
  try {
    // Digests first: what is altered in between is found, not signed.
    const images = await reckonStored(wim, hasher);
    await checkDecoded(version, wim, hasher);
    return images;
  } catch (cause) {
    return throwDamage(version.contentId, cause);
  } finally {
    await hasher.close();
    await wim.close();
  }
}

async function filesOf(wim: WimFile, image: number): Promise<(ResourceHeader | undefined)[]> {
  const files = [...walkEntries(await wim.readImage(image))].filter(({ entry }) => !entry.isDirectory && entry.reparseTag === undefined);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ entry }) => (entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource));
}
