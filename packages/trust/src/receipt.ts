import { z } from "zod";

/** The receipt staging leaves: what was laid on which disk, by what tool, when. A depot's signature comes as the envelope around it. */
export const receiptSchema = z.strictObject({
  format: z.literal("prestage-receipt-v1"),
  mediaId: z.string().regex(/^[0-9a-f]{64}$/),
  diskSerial: z.string().max(256).nullable(),
  diskSizeBytes: z.int().min(0),
  diskGuid: z.guid(),
  espPartitionGuid: z.guid(),
  volumePartitionGuid: z.guid(),
  files: z.strictObject({ count: z.int().min(0), bytes: z.int().min(0), verified: z.int().min(0) }),
  toolVersion: z.string().max(64),
  operator: z.string().max(128).optional(),
  /** RFC 3339, UTC. */
  time: z.iso.datetime(),
  depotSignature: z.null(),
});
export type Receipt = z.infer<typeof receiptSchema>;
