import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { applyWimToNtfs, makeNtfs, ntfsSerial, setNtfsDescriptor, withLoopDevice, withNtfs, type Extent } from "@prestage/disk";
import { mediaImages, protectedDescriptor } from "@prestage/media";
import { exportPrivateKey } from "@prestage/trust";
import { claimKeyPath, receiptPaths } from "./disk-receipt.ts";
import { StagingError } from "./error.ts";
import type { MadeReceipt } from "./receipt.ts";

interface Options { signal?: AbortSignal | undefined }

/** Makes the NTFS data volume and lays the media's data image on it as it is, security descriptors too. Returns the volume's serial number. */
export async function layNtfs(disk: string, volume: Extent, mediaPath: string, options: Options): Promise<string> {
  await withLoopDevice(disk, volume, async (device) => {
    await makeNtfs(device, { label: "Prestage", startSector: volume.start / 512, signal: options.signal });
    await applyWimToNtfs(mediaPath, mediaImages.data, device, options);
  }, options);
  return ntfsSerial(disk, volume);
}

/**
 * Puts receipt and claim key on the volume, with the protection of the folder they lie in, and reads both back. The disk has no
 * partition table yet: one cut off here is no staged disk.
 */
export async function leaveReceiptOnNtfs(disk: string, volume: Extent, made: MadeReceipt, options: Options): Promise<void> {
  const files = [[made.receipt.depot === null ? receiptPaths.plain : receiptPaths.signed, made.bytes], [claimKeyPath, Buffer.from(exportPrivateKey(made.claim))]] as const;
  await withLoopDevice(disk, volume, async (device) => {
    await withNtfs(device, async (root) => {
      for (const [path, bytes] of files) {
        const file = await open(join(root, path), "wx", 0o600);
        // Protected before there is anything in it.
        await setNtfsDescriptor(join(root, path), protectedDescriptor, options);
        await file.writeFile(bytes);
        await file.sync();
        await file.close();
      }
    }, options);
    await withNtfs(device, async (root) => {
      for (const [path, bytes] of files) {
        if (!(await readFile(join(root, path))).equals(bytes)) throw new StagingError("PRESTAGE_STAGING_READ_BACK_FAILED", `The claim key or the receipt read back from ${disk} is not the one that was written. Replace the disk.`);
      }
    }, { ...options, readOnly: true });
  }, options);
}
