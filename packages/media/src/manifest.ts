import { createHash } from "node:crypto";
import { checkTree } from "@prestage/content";
import { canonicalJson, signDocument, verifyDocument } from "@prestage/trust";
import type { PublicKey, SigningKey } from "@prestage/trust";
import { z } from "zod";
import { MediaError } from "./error.ts";
import { manifestSchema } from "./schema.ts";
import type { Manifest } from "./schema.ts";

export interface SignedManifest { envelope: Buffer; mediaId: string }
export interface OpenedManifest { manifest: Manifest; mediaId: string }

/**
 * Signs a manifest with the media key; the bytes are the file manifest.dsse.json. Ed25519 is deterministic: the same manifest gives the same bytes.
 * @throws MediaError PRESTAGE_MEDIA_MANIFEST_MALFORMED, ContentError PRESTAGE_CONTENT_PATH_UNSAFE: what no reader would open is not signed
 */
export function signManifest(manifest: Manifest, mediaKey: SigningKey): SignedManifest {
  const payload = canonicalJson(parseManifest(manifest));
  return { envelope: signDocument("manifest", payload, [mediaKey]), mediaId: mediaIdOf(payload) };
}

/**
 * Opens manifest.dsse.json: verified under the media role's keys, then parsed; its paths are safe.
 * @throws TrustError, MediaError PRESTAGE_MEDIA_MANIFEST_MALFORMED, PRESTAGE_MEDIA_FORMAT_UNSUPPORTED
 */
export function openManifest(envelope: Uint8Array, mediaKeys: readonly PublicKey[]): OpenedManifest {
  const payload = verifyDocument("manifest", envelope, mediaKeys);
  const json: unknown = parseJson(payload);
  const version = typeof json === "object" && json !== null && "formatVersion" in json ? json.formatVersion : undefined;
  if (version !== 1) throw new MediaError("PRESTAGE_MEDIA_FORMAT_UNSUPPORTED", `Expected a manifest of format version 1; found ${String(version)}. Use a newer Prestage.`);
  return { manifest: parseManifest(json), mediaId: mediaIdOf(payload) };
}

/** Form, and paths that are safe and one tree on each volume. */
function parseManifest(value: unknown): Manifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw malformed(z.prettifyError(parsed.error), parsed.error);
  for (const volume of ["esp", "data"] as const) checkTree(parsed.data.files.filter((file) => file.volume === volume).map((file) => file.path), []);
  return parsed.data;
}

/**
 * Decides validity by the site's signed time.
 * @throws MediaError PRESTAGE_MEDIA_NOT_YET_VALID, PRESTAGE_MEDIA_EXPIRED
 */
export function checkValidity(manifest: Manifest, signedTime: Date): void {
  if (manifest.validFrom !== undefined && signedTime.getTime() < Date.parse(manifest.validFrom)) {
    throw new MediaError("PRESTAGE_MEDIA_NOT_YET_VALID", `This media is valid from ${manifest.validFrom}; the site's time is ${signedTime.toISOString()}. Wait, or have the media renewed.`);
  }
  if (manifest.validTo !== undefined && signedTime.getTime() > Date.parse(manifest.validTo)) {
    throw new MediaError("PRESTAGE_MEDIA_EXPIRED", `This media was valid to ${manifest.validTo}; the site's time is ${signedTime.toISOString()}. Have the media renewed.`);
  }
}

function mediaIdOf(payload: Uint8Array): string {
  return createHash("sha256").update(payload).digest("hex");
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString("utf8"));
  } catch (cause) {
    throw malformed("bytes that are not JSON", cause);
  }
}

function malformed(found: string, cause: unknown): MediaError {
  return new MediaError("PRESTAGE_MEDIA_MANIFEST_MALFORMED", `Expected a manifest of format version 1; found: ${found}`, { cause });
}
