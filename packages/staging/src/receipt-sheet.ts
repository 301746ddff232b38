import type { OpenedReceipt } from "@prestage/trust";
import { receiptCodeText } from "./receipt-code.ts";

/** The readable sheet beside a receipt: what was laid on which disk, by whom. Plain text, for a delivery note. */
export function receiptSheet(opened: OpenedReceipt): string {
  return `${["RECEIPT OF A STAGED DISK", "", ...receiptRows(opened), "", receiptCodeText(opened, { paper: true })].join("\n")}\n`;
}

/** The rows of the sheet, and of `receipt show`. */
export function receiptRows({ receipt, sha256 }: Pick<OpenedReceipt, "receipt" | "sha256">): string[] {
  const rows: [string, string][] = [
    ["Receipt", sha256],
    ["Media", receipt.mediaId],
    ["Disk serial", receipt.diskSerial ?? "none"],
    ["Disk model", receipt.diskModel ?? "-"],
    ["Disk size", `${receipt.diskSizeBytes.toLocaleString("en")} bytes`],
    ["Disk GUID", receipt.diskGuid],
    ["ESP GUID", receipt.espPartitionGuid],
    ["Volume GUID", receipt.volumePartitionGuid],
    ["File system UUID", receipt.volumeFileSystemUuid],
    ["Computer serial", receipt.machineSerial ?? "-"],
    ["Files verified", `${receipt.files.verified} of ${receipt.files.count}, ${receipt.files.bytes.toLocaleString("en")} bytes`],
    ["Claim", receipt.claim.keyId],
    ["Staged", `${receipt.time} with prestage ${receipt.toolVersion}`],
    ["Operator", receipt.operator ?? "-"],
    ["Depot", receipt.depot === null ? "none: the receipt is not signed and gives no right" : `${receipt.depot.name} (key ${receipt.depot.key.keyId})`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(18)}${value}`);
}
