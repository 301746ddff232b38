import { sha256Schema } from "@prestage/content/schema";
import { z } from "zod";

/** A bucket of an S3 store, addressed by path: ENDPOINT/BUCKET/PREFIX/content/ID/FILE. Keys are not among this: they are in a file of the server's, or its environment. */
export const s3LocationSchema = z.strictObject({
  kind: z.literal("s3"),
  endpoint: z.url({ protocol: /^https?$/ }).max(1000),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "a bucket's name"),
  prefix: z.string().regex(/^(?:[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*)?$/, "names of letters, digits, _ and -, with / between them").max(500),
  region: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  /** acl: each object is made readable for everyone; policy: the bucket's own policy says so. */
  access: z.enum(["acl", "policy"]),
  /** As the server sees it, in the form of ~/.aws/credentials. */
  credentialsFile: z.string().min(1).max(4096).optional(),
});
export type S3Location = z.infer<typeof s3LocationSchema>;
/** What a distribution point's web server serves, where the site can write it. */
export const publishLocationSchema = z.discriminatedUnion("kind", [z.strictObject({ kind: z.literal("folder"), path: z.string().regex(/^\//, "an absolute path").max(4096) }), s3LocationSchema]);
export type PublishLocation = z.infer<typeof publishLocationSchema>;

export const distributionPointSchema = z.strictObject({ url: z.url(), order: z.int().min(0).max(1000), target: publishLocationSchema.optional() });
export type DistributionPoint = z.infer<typeof distributionPointSchema>;

/** `target` absent: as it was; null: none. */
export const setDistributionPointRequestSchema = distributionPointSchema.extend({ target: publishLocationSchema.nullable().optional() });
/** Every distribution point that is named comes in this order, those that are not after them as they were. */
export const orderDistributionPointsRequestSchema = z.strictObject({ urls: z.array(z.url()).min(1).max(64) });
/** Absent: every one. `full`: every byte is read; else samples of the large files. */
export const validateDistributionPointsRequestSchema = z.strictObject({ url: z.url().optional(), full: z.boolean().default(false) });
export const redistributeRequestSchema = z.strictObject({ url: z.url() });
/** `missing`: a file of it is not there; `damaged`: a file is another, or must not be there; `unreachable`: the distribution point did not answer. */
export const contentStatusStates = ["whole", "missing", "damaged", "unreachable"] as const;
/** A content version at a distribution point, when it was validated last. */
export const distributionStatusSchema = z.strictObject({
  url: z.url(), contentId: sha256Schema, objectIds: z.array(z.string()), names: z.array(z.string()), state: z.enum(contentStatusStates),
  faults: z.array(z.string()), full: z.boolean(), checked: z.iso.datetime(),
});
export type DistributionStatus = z.infer<typeof distributionStatusSchema>;
/** Of an object's newest version. `damaged`: in the library itself; `nowhere`: whole at no distribution point. As validation found it, `checked` then. */
export const contentFaultSchema = z.strictObject({ objectId: z.string(), contentId: sha256Schema, kind: z.enum(["damaged", "nowhere"]), fault: z.string(), checked: z.iso.datetime() });
export type ContentFault = z.infer<typeof contentFaultSchema>;
