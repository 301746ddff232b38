import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ResourceHasher } from "@prestage/wim";
import { z } from "zod";
import { sha256Schema } from "../description/schema.ts";
import type { StoredVersion } from "./content-library.ts";
import { openStoredWim } from "./single-instance/stored-source.ts";

const format = "prestage-whole-note-v1";
const schema = z.strictObject({ format: z.literal(format), storageSha256: sha256Schema, sha1: z.string().regex(/^[0-9a-f]{40}$/) });

/**
 * The SHA-1 of a version's whole content.wim, by which a WIM that carries it names it. Reckoned once and kept beside the version, for its storage map: with it
 * known, an image is copied onto media by the kernel, its integrity spans as they are.
 */
export async function wholeSha1(version: StoredVersion, signal?: AbortSignal): Promise<string> {
  const path = join(version.folder, "whole.json");
  const kept = await readFile(path, "utf8").then((text) => schema.parse(JSON.parse(text))).catch(() => undefined);
  if (kept?.storageSha256 === version.storageSha256) return kept.sha1;
  const wim = await openStoredWim(version);
  const hasher = new ResourceHasher({ threads: 1, signal });
  try {
    const size = version.storedBytes;
    const sha1 = await hasher.hash(wim, { offset: 0, size, storedSize: size, flags: 0 }, 0, size, "sha1");
    const temporary = `${path}.${randomUUID()}`;
    // A library that cannot be written, such as another's, serves as well.
    await writeFile(temporary, JSON.stringify({ format, storageSha256: version.storageSha256, sha1 })).then(() => rename(temporary, path)).catch(() => rm(temporary, { force: true }));
    return sha1;
  } finally {
    await hasher.close();
    await wim.close();
  }
}
