import { mkdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { mountExt4, mountFat, mountNtfs, runProgram, unmount } from "@prestage/disk";
import type { LogFile } from "../log-file.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import type { StartVolume } from "./find-volume.ts";

export const dataRoot = "/mnt/data";
export const espRoot = "/mnt/esp";

/**
 * Mounts the data volume for writing (after e2fsck -p, which does nothing to a clean one) and the ESP read-only:
 * until a task sequence has been chosen nothing on the disk changes except under /prestage/log and /prestage/state.
 * @throws DiskError PRESTAGE_DISK_BAD_FILE_SYSTEM
 */
export async function mountVolumes(volume: StartVolume): Promise<void> {
  await mountData(volume, dataRoot);
  await mountFat(volume.espPartition, espRoot, { readOnly: true });
}

type DataVolume = Pick<StartVolume, "dataPartition" | "dataFileSystem">;

/**
 * Mounts the data volume alone. What is made on an NTFS gets its rights by the mode it is made with, and in Windows a folder that is closed does not keep anybody
 * from an open file in it (everyone may pass through folders): so nothing is made open, by this process and those it starts.
 */
export async function mountData(volume: DataVolume, place: string): Promise<void> {
  if (volume.dataFileSystem === "ntfs") {
    process.umask(0o077);
    await mountNtfs(volume.dataPartition, place);
  } else await mountExt4(volume.dataPartition, place, { options: ["noatime", "nodev"] });
}

/**
 * Has the data volume unmounted while something writes to its device itself, as wimlib does to NTFS. What is logged and reported meanwhile waits in memory. Where
 * the volume cannot be mounted again nothing more is written, and the error says so.
 */
export async function withVolumeReleased<T>(volume: DataVolume, writers: { status: StatusSpool; logFile: LogFile }, use: () => Promise<T>, place = dataRoot): Promise<T> {
  const goOn = await writers.status.hold();
  writers.logFile.hold();
  const resume = () => {
    writers.logFile.open(place);
    goOn();
  };
  try {
    await runProgram("sync", ["-f", place]);
    await unmount(place);
  } catch (cause) {
    resume(); // it is as it was
    throw cause;
  }
  try {
    return await use();
  } finally {
    await mountData(volume, place);
    resume();
  }
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
