import { dataPaths } from "@prestage/media";
import { canonicalJson, receiptFiles, type OpenedReceipt, type ReceiptFile } from "@prestage/trust";
import { readDiskFiles, type DiskFiles, type DiskFilesOptions } from "./disk-files.ts";
import { ownPaths, readReceiptLeft } from "./disk-receipt.ts";
import { StagingError } from "./error.ts";
import { readBack } from "./read-back.ts";

export interface VerifyDiskOptions extends DiskFilesOptions {
  onProgress?: (event: { phase: "verify"; done: number; total: number; name: string }) => void;
}

/**
 * Reads a staged disk whole, on the shelf, and compares it with its own signed manifest; changes nothing.
 * @throws StagingError PRESTAGE_STAGING_READ_BACK_FAILED naming the first file that is not as it should be
 */
export async function verifyDisk(path: string, options: VerifyDiskOptions = {}): Promise<{ found: DiskFiles; files: ReceiptFile[] }> {
  const found = await readDiskFiles(path, options);
  return { found, files: await readBackDisk(found, isOwn, options) };
}

/** What is staging's or the agent's own on a disk on the shelf. */
export function isOwn(name: string): boolean {
  return ownPaths.includes(name) || name.startsWith(`${dataPaths.root}/log/`) || name.startsWith(`${dataPaths.root}/state/`);
}

/** Every file of a disk against what it must hold; `mayBeThere` are names on the data volume that are not the media's. */
export async function readBackDisk(found: DiskFiles, mayBeThere: (name: string) => boolean, options: VerifyDiskOptions): Promise<ReceiptFile[]> {
  let done = 0;
  const place = (extent: { start: number; size: number }) => ({ device: found.disk.path, extent });
  return readBack(found, place(found.espPartition), place(found.volumePartition), {
    signal: options.signal, mayBeThere, onProgress: (bytes, name) => options.onProgress?.({ phase: "verify", done: (done += bytes), total: found.bytes, name }),
  });
}

/**
 * Whether a receipt speaks of this disk: identities, media, claim key, and every file as it lists them.
 * @throws StagingError PRESTAGE_STAGING_RECEIPT_MISMATCH, PRESTAGE_STAGING_READ_BACK_FAILED
 */
export async function checkReceiptOfDisk(opened: OpenedReceipt, path: string, options: VerifyDiskOptions = {}): Promise<DiskFiles> {
  const found = await readDiskFiles(path, options);
  const { receipt } = opened;
  const left = await readReceiptLeft(found.disk.path, found.volumePartition);
  const facts: [string, string | number | null, string | number | null | undefined][] = [
    ["media", receipt.mediaId, found.mediaId],
    ["disk serial", receipt.diskSerial, found.disk.serial === "" ? null : found.disk.serial],
    ["disk size", receipt.diskSizeBytes, found.disk.sizeBytes],
    ["disk GUID", receipt.diskGuid, found.table.guid],
    ["ESP GUID", receipt.espPartitionGuid, found.espPartition.guid],
    ["volume GUID", receipt.volumePartitionGuid, found.volumePartition.guid],
    ["file system UUID", receipt.volumeFileSystemUuid, found.fileSystemUuid],
    ["receipt on the disk", opened.sha256, left?.sha256],
    ["claim key on the disk", receipt.claim.keyId, left?.claimFits === true ? left.receipt.claim.keyId : undefined],
  ];
  for (const [what, expected, is] of facts) if (expected !== is) throw mismatch(what, String(expected), String(is ?? "none"));
  const files = receiptFiles(await readBackDisk(found, isOwn, options));
  if (!canonicalJson(files).equals(canonicalJson(receipt.files))) throw mismatch("list of files", `${receipt.files.count} files, ${receipt.files.sha256}`, `${files.count} files, ${files.sha256}`);
  return found;
}

function mismatch(what: string, expected: string, found: string): StagingError {
  return new StagingError("PRESTAGE_STAGING_RECEIPT_MISMATCH", `Expected the disk the receipt speaks of, with its ${what} ${expected}; found ${found}. The receipt belongs to another disk, or the disk was changed since.`);
}
