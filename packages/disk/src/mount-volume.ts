import { mkdir } from "node:fs/promises";
import { DiskError } from "./error.ts";
import { runProgram } from "./run-program.ts";

export interface MountOptions {
  readOnly?: boolean;
  /** More options for mount, such as nosuid. */
  options?: readonly string[];
  signal?: AbortSignal | undefined;
}

/** Checks an ext4 after a possible power cut and mounts it. */
export async function mountExt4(device: string, place: string, options: MountOptions = {}): Promise<void> {
  if (options.readOnly !== true) {
    const { exitCode, output } = await runProgram("e2fsck", ["-p", device], { accept: [0, 1, 2, 4, 8, 12], signal: options.signal });
    if (exitCode > 1) throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", exitCode === 2 ? `The file system on ${device} was repaired and needs a restart.` : `The file system on ${device} could not be repaired (e2fsck: ${exitCode}): ${output.trim().slice(-300)}`);
  }
  await mount("ext4", device, place, [options.readOnly === true ? "ro" : "rw", ...(options.options ?? [])], options.signal);
}

/** Repairs a FAT after a possible power cut (leaked chains and a dirty flag are normal then) and mounts it. */
export async function mountFat(device: string, place: string, options: MountOptions = {}): Promise<void> {
  if (options.readOnly !== true) await runProgram("fsck.fat", ["-a", device], { accept: [0, 1], signal: options.signal });
  await mount("vfat", device, place, [options.readOnly === true ? "ro" : "rw", "umask=0077", ...(options.options ?? [])], options.signal);
}

/** Mounts an NTFS by ntfs-3g, which puts the volume's own journal in order after a power cut. */
export async function mountNtfs(device: string, place: string, options: Pick<MountOptions, "readOnly" | "signal"> = {}): Promise<void> {
  await mkdir(place, { recursive: true });
  await runProgram("ntfs-3g", ["-o", `${options.readOnly === true ? "ro" : "rw"},streams_interface=none,permissions,noatime`, device, place], options);
}

async function mount(type: string, device: string, place: string, options: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  await mkdir(place, { recursive: true });
  await runProgram("mount", ["-t", type, "-o", options.join(","), device, place], { signal });
}

export async function unmount(place: string): Promise<void> {
  await runProgram("umount", [place]);
}
