import type { DiskDescription } from "@prestage/disk";
import { createClaim, encodeReceipt, receiptFiles, receiptSchema, type Receipt, type ReceiptFile, type SigningKey } from "@prestage/trust";

/** The depot that stages, and the key it signs receipts with. */
export interface Depot {
  name: string;
  key: SigningKey;
}

export interface ReceiptOptions {
  toolVersion: string;
  operator?: string | undefined;
  /** Serial number of the computer the disk is for, where it is known. */
  machineSerial?: string | undefined;
  /** Signs the receipt; without it the receipt is plain and gives no right. */
  depot?: Depot | undefined;
  /** When staging ended; now by default. */
  time?: Date | undefined;
}

export interface ReceiptFacts {
  mediaId: string;
  disk: Pick<DiskDescription, "serial" | "model" | "sizeBytes">;
  guids: { disk: string; esp: string; volume: string; fileSystem: string };
  files: readonly ReceiptFile[];
}

/** A receipt with the claim it speaks of. The claim's private half goes to the disk and nowhere else. */
export interface MadeReceipt {
  receipt: Receipt;
  /** The file's bytes: signed where there is a depot. */
  bytes: Buffer;
  claim: SigningKey;
}

/** States what was laid on which disk, and makes the disk's claim; only after everything was read back. */
export function makeReceipt(facts: ReceiptFacts, options: ReceiptOptions): MadeReceipt {
  const claim = createClaim();
  const { disk, guids } = facts;
  const receipt = receiptSchema.parse({
    format: "prestage-receipt-v1",
    mediaId: facts.mediaId,
    diskSerial: disk.serial === "" ? null : disk.serial,
    diskModel: disk.model === "" ? null : disk.model,
    diskSizeBytes: disk.sizeBytes,
    diskGuid: guids.disk,
    espPartitionGuid: guids.esp,
    volumePartitionGuid: guids.volume,
    volumeFileSystemUuid: guids.fileSystem,
    machineSerial: options.machineSerial ?? null,
    files: receiptFiles(facts.files),
    toolVersion: options.toolVersion,
    ...(options.operator === undefined ? {} : { operator: options.operator }),
    time: (options.time ?? new Date()).toISOString(),
    depot: options.depot === undefined ? null : { name: options.depot.name, key: options.depot.key.public },
    claim: claim.public,
  });
  return { receipt, bytes: encodeReceipt(receipt, options.depot?.key), claim };
}
