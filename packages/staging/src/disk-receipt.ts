import { addExt4File, ext4FileCapacity, Ext4Reader, overwriteExt4File, removeExt4Files, type Extent } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import { exportPrivateKey, importSigningKey, openReceipt, receiptFiles, type OpenedReceipt, type ReceiptFile } from "@prestage/trust";
import { StagingError } from "./error.ts";
import type { MadeReceipt } from "./receipt.ts";

/** Where the claim's private half lies: on its disk and nowhere else. */
export const claimKeyPath = `${dataPaths.root}/claim-key.pem`;
/** Where the receipt lies, signed or plain. */
export const receiptPaths = { signed: `${dataPaths.root}/receipt.dsse.json`, plain: `${dataPaths.root}/receipt.json` } as const;

/** Staging's own files on the data volume; a read-back of the media's files passes them over. */
export const ownPaths: readonly string[] = [claimKeyPath, receiptPaths.signed, receiptPaths.plain];

/** An Ed25519 key as PKCS#8 PEM has 119 bytes. */
const claimKeyRoom = 128;

function receiptPathOf(made: Pick<MadeReceipt, "receipt">): string {
  return made.receipt.depot === null ? receiptPaths.plain : receiptPaths.signed;
}

/** Room for a receipt of these files, signed or plain, with the longest names it may hold. */
function receiptRoom(files: readonly ReceiptFile[]): number {
  return Math.ceil((JSON.stringify(receiptFiles(files), null, 2).length * 1.5 + 12_000) / 4096) * 4096;
}

/**
 * Makes room on a volume that is not mounted, before its disk is a staged one: files of line ends alone, which mean that
 * there is none yet. Claim and receipt are later put into them in place, so that a power cut then leaves the file system sound.
 */
export async function makeRoom(disk: string, volume: Extent, files: readonly ReceiptFile[], options: { signal?: AbortSignal | undefined }, paths: readonly string[] = ownPaths): Promise<void> {
  for (const path of paths) {
    const needed = path === claimKeyPath ? claimKeyRoom : receiptRoom(files);
    const room = await ext4FileCapacity(disk, volume, path);
    if (room !== undefined && room >= needed) continue;
    if (room !== undefined) await removeExt4Files(disk, volume, [path], options);
    await addExt4File(disk, volume, path, Buffer.alloc(needed, "\n"), options);
  }
}

/**
 * Puts receipt and claim key into their places, in the place of earlier ones; the key comes last and is flushed after the
 * receipt, so that a receipt beside a key that is not its own was cut short.
 */
export async function leaveReceipt(disk: string, volume: Extent, made: MadeReceipt, files: readonly ReceiptFile[], options: { signal?: AbortSignal | undefined }): Promise<void> {
  const own = receiptPathOf(made);
  await makeRoom(disk, volume, files, options, [claimKeyPath, own]);
  for (const path of Object.values(receiptPaths)) {
    if (path !== own && (await ext4FileCapacity(disk, volume, path)) !== undefined) await overwriteExt4File(disk, volume, path, Buffer.alloc(0));
  }
  await overwriteExt4File(disk, volume, own, made.bytes);
  await overwriteExt4File(disk, volume, claimKeyPath, Buffer.from(exportPrivateKey(made.claim)));
}

/** Reads back that claim key and receipt lie on the volume as they were made. */
export async function checkReceiptLeft(disk: string, volume: Extent, made: MadeReceipt): Promise<void> {
  const reader = await Ext4Reader.open(disk, volume);
  try {
    const [key, bytes] = [await reader.readFile(claimKeyPath), await reader.readFile(receiptPathOf(made))];
    if (key.toString().trimEnd() === exportPrivateKey(made.claim).trimEnd() && bytes.toString().trimEnd() === made.bytes.toString().trimEnd()) return;
  } finally {
    await reader.close();
  }
  throw new StagingError("PRESTAGE_STAGING_READ_BACK_FAILED", `The claim key or the receipt read back from ${disk} is not the one that was written. Replace the disk.`);
}

/** What lies on a volume: its receipt, and whether the claim key beside it is the one the receipt names. Undefined without a receipt. */
export async function readReceiptLeft(disk: string, volume: Extent): Promise<(OpenedReceipt & { bytes: Buffer; claimFits: boolean }) | undefined> {
  const reader = await Ext4Reader.open(disk, volume);
  try {
    const [signed, plain] = [await read(reader, receiptPaths.signed), await read(reader, receiptPaths.plain)];
    const bytes = signed ?? plain;
    if (bytes === undefined) return undefined;
    const opened = openReceipt(bytes);
    const key = await read(reader, claimKeyPath);
    return { ...opened, bytes, claimFits: key !== undefined && keyIdOf(key) === opened.receipt.claim.keyId };
  } finally {
    await reader.close();
  }
}

/** A file's bytes without the line ends that fill it; undefined where there is none or nothing else in it. */
async function read(reader: Ext4Reader, path: string): Promise<Buffer | undefined> {
  if (!(await reader.has(path))) return undefined;
  const text = (await reader.readFile(path)).toString("utf8").trimEnd();
  return text === "" ? undefined : Buffer.from(`${text}\n`);
}

function keyIdOf(pem: Buffer): string | undefined {
  try {
    return importSigningKey(pem.toString()).keyId;
  } catch {
    return undefined; // damaged: it fits no receipt
  }
}
