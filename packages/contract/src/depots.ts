import { sha256Schema } from "@prestage/content/schema";
import { z } from "zod";

/** The public half of a depot's key, as `prestage depot show --output` writes it. */
export const registerDepotRequestSchema = z.strictObject({
  format: z.literal("prestage-depot-v1").optional(),
  name: z.string().min(1).max(128),
  keyId: sha256Schema,
  publicKey: z.string().max(200).regex(/^[A-Za-z0-9+/]+={0,2}$/),
});

export const depotSchema = z.strictObject({
  keyId: sha256Schema, publicKey: z.string(), name: z.string(), registered: z.iso.datetime(), revoked: z.iso.datetime().nullable(),
  /** Receipts it signed, and how many of their disks have started. */
  receipts: z.int(), started: z.int(),
});
export type Depot = z.infer<typeof depotSchema>;

/** `confirmed` counts receipts kept before that the registration confirmed. */
export const registerDepotAnswerSchema = z.strictObject({ depot: depotSchema, confirmed: z.int() });

/** What became of a receipt that was imported. Unconfirmed: `reason` says why it gives no right. */
export const importReceiptAnswerSchema = z.strictObject({ id: z.guid(), confirmed: z.boolean(), reason: z.string().optional() });

export const receiptRecordSchema = z.strictObject({
  id: z.guid(), sha256: sha256Schema.nullable(), mediaId: sha256Schema, confirmed: z.boolean(), imported: z.iso.datetime(), revoked: z.iso.datetime().nullable(),
  depot: z.strictObject({ keyId: sha256Schema, name: z.string() }).nullable(), claimId: sha256Schema.nullable(),
  diskSerial: z.string().nullable(), machineSerial: z.string().nullable(), staged: z.string(),
  /** When its disk was first heard of; null: staged, never started. */
  started: z.iso.datetime().nullable(), deviceId: z.guid().nullable(),
});
export type ReceiptRecord = z.infer<typeof receiptRecordSchema>;

export const receiptListQuerySchema = z.strictObject({ neverStarted: z.stringbool().default(false), mediaId: sha256Schema.optional() });
