import { sha256Schema } from "@prestage/content/schema";
import { secretNameSchema } from "@prestage/sequence/schema";
import { z } from "zod";
import { deviceStateSchema } from "./administration.ts";

/** Two computers showed the claim of one disk: the first was let in, the second waits. accept-both: the second was approved as any other. */
export const conflictResolutions = ["keep-first", "accept-second", "refuse-second", "accept-both"] as const;
export type ConflictResolution = (typeof conflictResolutions)[number];
const conflictSideSchema = z.strictObject({ id: z.guid(), name: z.string(), state: deviceStateSchema, attributes: z.record(z.string(), z.unknown()), lastSeen: z.iso.datetime().nullable() });
export const conflictSchema = z.strictObject({
  id: z.guid(), claimId: sha256Schema, first: conflictSideSchema, second: conflictSideSchema, seen: z.iso.datetime(), resolved: z.iso.datetime().nullable(), resolution: z.enum(conflictResolutions).nullable(),
});
export type Conflict = z.infer<typeof conflictSchema>;
/** keep-first: the second stays in the list of approvals as any other computer. accept-second: the first is revoked. */
export const resolveConflictRequestSchema = z.strictObject({ resolution: z.enum(["keep-first", "accept-second", "refuse-second"]) });

export const claimSchema = z.strictObject({
  claimId: sha256Schema, receiptId: z.guid(), mediaId: sha256Schema, diskGuid: z.string(), diskSerial: z.string().nullable(), usedBy: z.guid().nullable(), usedAt: z.iso.datetime().nullable(), revoked: z.iso.datetime().nullable(),
});
export type Claim = z.infer<typeof claimSchema>;

/** Where a secret variable lives. A device's own wins over its deployment's, that over a collection's. */
export const secretScopes = ["device", "collection", "deployment"] as const;
export type SecretScope = (typeof secretScopes)[number];
const secretOwner = { scope: z.enum(secretScopes), ownerId: z.string().max(64) };
/** The value is kept sealed at the site; no route of this API gives it back. */
export const setSecretRequestSchema = z.strictObject({ ...secretOwner, name: secretNameSchema, value: z.string().min(1).max(8000) });
export const removeSecretQuerySchema = z.strictObject({ ...secretOwner, name: z.string().max(256) });
export const secretRecordSchema = z.strictObject({ ...secretOwner, name: z.string(), changed: z.iso.datetime() });
export type SecretRecord = z.infer<typeof secretRecordSchema>;

/** What is typed at a computer's password screen. */
export const mediaPasswordSchema = z.string().min(8, "at least 8 characters").max(128).regex(/^[^\p{Cc}]+$/u, "no control characters");
export const setMediaPasswordRequestSchema = z.strictObject({ password: mediaPasswordSchema });

export const auditListQuerySchema = z.strictObject({ after: z.coerce.number().int().min(0).default(0), limit: z.coerce.number().int().min(1).max(5000).default(500), subject: z.string().max(256).optional() });
export const auditRecordSchema = z.strictObject({ id: z.int(), time: z.iso.datetime(), actor: z.string(), action: z.string(), subject: z.string() });
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** New keys for these roles; the root key itself only where it is named. */
export const rotateKeyringRequestSchema = z.strictObject({
  roles: z.array(z.enum(["root", "media", "policy", "time", "url"])).min(1).max(5),
  /** Media signed by the present key are then no longer recognised: only where that key was stolen. */
  forgetMediaKeys: z.boolean().default(false),
});
export const keyringAnswerSchema = z.strictObject({ version: z.int(), issued: z.iso.datetime(), expires: z.iso.datetime(), keys: z.record(z.string(), z.array(z.string())) });
export type KeyringAnswer = z.infer<typeof keyringAnswerSchema>;
