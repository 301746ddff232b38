import { mkdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { mountExt4, mountFat, unmount } from "@prestage/disk";
import type { StartVolume } from "./find-volume.ts";

export const dataRoot = "/mnt/data";
export const espRoot = "/mnt/esp";

/**
 * Mounts the data volume for writing (after e2fsck -p, which does nothing to a clean one) and the ESP read-only:
 * until a task sequence has been chosen nothing on the disk changes except under /prestage/log and /prestage/state.
 * @throws DiskError PRESTAGE_DISK_BAD_FILE_SYSTEM
 */
export async function mountVolumes(volume: StartVolume): Promise<void> {
  await mountExt4(volume.dataPartition, dataRoot, { options: ["noatime", "nodev"] });
  await mountFat(volume.espPartition, espRoot, { readOnly: true });
}

/** The two folders the agent writes to before a task sequence was chosen; the folder they lie in keeps its time, as everything else does. */
export async function makeOwnFolders(): Promise<void> {
  const parent = join(dataRoot, "prestage");
  const { atime, mtime } = await stat(parent);
  for (const name of ["log", "state"]) await mkdir(join(parent, name), { recursive: true, mode: 0o700 });
  await utimes(parent, atime, mtime);
}

/** Makes the ESP writable for the boot switch. Left-overs of a power cut are mended first, never deleted before. */
export async function makeEspWritable(volume: { espPartition: string }): Promise<void> {
  await unmount(espRoot);
  await mountFat(volume.espPartition, espRoot);
}
