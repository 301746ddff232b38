import { sha256Schema } from "@prestage/content/schema";
import { contentKinds, manifestSchema, objectIdSchema } from "@prestage/media/schema";
import { z } from "zod";

/** expired and not-yet-valid by the site's clock, with a renewal counted in. */
export const mediaStates = ["valid", "not-yet-valid", "expired", "revoked"] as const;
export type MediaState = (typeof mediaStates)[number];

export const mediaRecordSchema = z.strictObject({
  mediaId: sha256Schema, size: z.int(), sha256: sha256Schema, path: z.string(), created: z.iso.datetime(), manifest: manifestSchema,
  state: z.enum(mediaStates),
  /** The end that counts: the renewal's, else the manifest's; null is unlimited. */
  validTo: z.iso.datetime().nullable(),
  renewedTo: z.iso.datetime().nullable(),
  revoked: z.iso.datetime().nullable(),
  /** Disks with a receipt of this media; of those, disks never started; and computers that made contact with it. */
  staged: z.int(), neverStarted: z.int(), started: z.int(),
});
export type MediaRecord = z.infer<typeof mediaRecordSchema>;

export const renewMediaRequestSchema = z.strictObject({ validTo: z.iso.datetime() });

/** A piece of content as a media carries it, beside the newest revision at the site. */
/** What a computer started from a media would fetch of one content now; `ways` has the files that are not on the media. Of the boot image it fetches nothing, whatever its state: `media refresh` and `stage --refresh` bring a newer one. Sizes in bytes. */
export const contentPlanSchema = z.strictObject({
  objectId: objectIdSchema, kind: z.enum(contentKinds), name: z.string(), revision: z.int(), contentId: sha256Schema,
  state: z.enum(["hit", "revised", "missing"]),
  ways: z.array(z.strictObject({ paths: z.array(z.string()), way: z.enum(["patch", "pieces", "chunks", "whole", "delta"]), bytes: z.int(), requests: z.int(), whole: z.int().optional() })),
  /** Of the files, and of what has to be known to fetch them. */
  bytes: z.int(), described: z.int(),
  /** What the whole version costs. */
  full: z.int(),
});
export type ContentPlan = z.infer<typeof contentPlanSchema>;

export const revisedContentSchema = z.strictObject({
  objectId: objectIdSchema, kind: z.enum(contentKinds), name: z.string(), revision: z.int(), contentId: sha256Schema,
  newest: z.strictObject({ revision: z.int(), softwareVersion: z.string(), contentId: sha256Schema, created: z.iso.datetime() }),
  /** A newer revision whose bytes are others: computers will fetch what changed. A newer revision may have changed settings alone. */
  changed: z.boolean(),
});
export type RevisedContent = z.infer<typeof revisedContentSchema>;

/** What a device asks at contact: the renewal of its media, a DSSE envelope (trust, openRenewal) in base64; null where there is none. */
export const renewalQuerySchema = z.strictObject({ mediaId: sha256Schema });
export const renewalAnswerSchema = z.strictObject({ renewal: z.base64().max(8192).nullable() });
