import { z } from "zod";
import { ContentError } from "../error.ts";
import { sha256Schema } from "../description/schema.ts";

/** An object whose content is carried; `definition` is what it is besides, read by a site alone. */
export const exportedObjectSchema = z.strictObject({
  id: z.string().min(1).max(64), kind: z.string().max(32), name: z.string().min(1).max(256), softwareVersion: z.string().max(64), revision: z.int().min(1),
  confidential: z.literal(true).optional(), contentId: sha256Schema, storageSha256: sha256Schema, definition: z.unknown(),
});
export type ExportedObject = z.infer<typeof exportedObjectSchema>;

/** export.json of an export: the objects in it, those others depend on before them. */
export const exportManifestSchema = z.strictObject({ format: z.literal("prestage-content-export-v1"), objects: z.array(exportedObjectSchema).min(1).max(10_000) });
export type ExportManifest = z.infer<typeof exportManifestSchema>;

/** A larger export.json is refused before it is parsed. */
export const maximumManifestBytes = 64 * 1024 * 1024;

/** @throws ContentError PRESTAGE_CONTENT_EXPORT_MALFORMED */
export function openExportManifest(bytes: Uint8Array): ExportManifest {
  try {
    return exportManifestSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw malformed(`an export.json of format version 1; found: ${cause instanceof z.ZodError ? z.prettifyError(cause) : "bytes that are not JSON"}`, cause);
  }
}

export function malformed(text: string, cause?: unknown): ContentError {
  return new ContentError("PRESTAGE_CONTENT_EXPORT_MALFORMED", `Expected ${text}. Export the content again.`, cause === undefined ? undefined : { cause });
}
