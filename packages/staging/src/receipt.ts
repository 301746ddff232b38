import type { DiskDescription } from "@prestage/disk";
import { receiptSchema, type Receipt } from "@prestage/trust";

export interface ReceiptOptions {
  toolVersion: string;
  operator?: string | undefined;
  /** When staging ended; now by default. */
  time?: Date | undefined;
}

export interface ReceiptFacts {
  mediaId: string;
  disk: Pick<DiskDescription, "serial" | "sizeBytes" | "kind">;
  guids: { disk: string; esp: string; volume: string };
  files: { count: number; bytes: number; verified: number };
}

/** States what was laid on which disk; made only after everything was read back. */
export function makeReceipt(facts: ReceiptFacts, options: ReceiptOptions): Receipt {
  return receiptSchema.parse({
    format: "prestage-receipt-v1",
    mediaId: facts.mediaId,
    diskSerial: facts.disk.serial === "" ? null : facts.disk.serial,
    diskSizeBytes: facts.disk.sizeBytes,
    diskGuid: facts.guids.disk,
    espPartitionGuid: facts.guids.esp,
    volumePartitionGuid: facts.guids.volume,
    files: facts.files,
    toolVersion: options.toolVersion,
    ...(options.operator === undefined ? {} : { operator: options.operator }),
    time: (options.time ?? new Date()).toISOString(),
    depotSignature: null,
  });
}

/** The bytes of receipt.json, on the disk and beside it. */
export function encodeReceipt(receipt: Receipt): Buffer {
  return Buffer.from(`${JSON.stringify(receipt, null, 2)}\n`);
}
