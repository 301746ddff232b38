import { mkdtemp, open, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWimFile } from "@prestage/wim";
import type { ApplyOsImageOptions } from "./apply-os-image.ts";
import { DiskError } from "./error.ts";
import { mountNtfs } from "./mount-volume.ts";
import type { Extent } from "./partition-plan.ts";
import { runProgram } from "./run-program.ts";

interface Options { signal?: AbortSignal | undefined }

/** Makes a place on a disk or image file a block device for as long as something is done with it: the NTFS tools know no offsets. */
export async function withLoopDevice<T>(disk: string, extent: Extent, use: (device: string) => Promise<T>, options: Options & { readOnly?: boolean } = {}): Promise<T> {
  const place = ["--offset", String(extent.start), "--sizelimit", String(extent.size)];
  const device = (await runProgram("losetup", ["--find", "--show", ...(options.readOnly === true ? ["--read-only"] : []), ...place, disk], options)).output.trim();
  try {
    return await use(device);
  } finally {
    await runProgram("losetup", ["--detach", device]);
  }
}

/** Makes an empty NTFS on a partition or loop device. `startSector` is the partition's on its disk, in 512 bytes: Windows starts by it. */
export async function makeNtfs(device: string, options: Options & { label: string; startSector: number }): Promise<void> {
  // -Q: without it the whole disk is filled with zeros first.
  await runProgram("mkntfs", ["-Q", "-q", "-F", "-L", options.label, "-p", String(options.startSector), "-H", "255", "-S", "63", device], options);
}

/** The volume's serial number, 16 lower-case hex digits, from its boot sector (bytes 72 to 79, little-endian). */
export async function ntfsSerial(disk: string, extent: Extent): Promise<string> {
  const file = await open(disk, "r");
  try {
    const sector = Buffer.alloc(512);
    await file.read(sector, 0, sector.length, extent.start);
    if (sector.toString("latin1", 3, 7) !== "NTFS") throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `Expected an NTFS at byte ${extent.start} of ${disk}, found none.`);
    return sector.readBigUInt64LE(72).toString(16).padStart(16, "0");
  } finally {
    await file.close();
  }
}

/**
 * Applies an image straight onto an NTFS that is not mounted: security descriptors, streams, reparse points, hard links and
 * short names come with it. The volume's root may hold other names; one the image brings too is an error.
 */
export async function applyWimToNtfs(wim: string, index: number, device: string, options: Options & { references?: readonly string[]; onPercent?: (percent: number) => void } = {}): Promise<void> {
  let percent = -1;
  await runProgram("wimlib-imagex", ["apply", wim, String(index), device, ...(options.references ?? []).map((path) => `--ref=${path}`)], {
    signal: options.signal,
    onLine: (line) => {
      const found = Number(/\((\d+)%\) done/.exec(line)?.[1] ?? "NaN");
      if (!Number.isNaN(found) && found !== percent) options.onPercent?.((percent = found));
    },
  });
  await runProgram("sync", [device], { signal: options.signal }); // wimlib does not
}

/** Mounts an NTFS by ntfs-3g for as long as something looks at it, or changes it. */
export async function withNtfs<T>(device: string, use: (folder: string) => Promise<T>, options: Options & { readOnly?: boolean } = {}): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-ntfs-"));
  try {
    await mountNtfs(device, folder, options);
    try {
      return await use(folder);
    } finally {
      await runProgram("umount", [folder]);
    }
  } finally {
    await rmdir(folder);
  }
}

/** Gives a file of a mounted NTFS a security descriptor of its own. */
export async function setNtfsDescriptor(path: string, descriptor: Uint8Array, options: Options = {}): Promise<void> {
  await runProgram("setfattr", ["--name=system.ntfs_acl", `--value=0x${Buffer.from(descriptor).toString("hex")}`, path], options);
}

export interface ApplyOsImageToNtfsOptions extends Pick<ApplyOsImageOptions, "index" | "keep" | "signal" | "onProgress"> {
  /** The data volume, not mounted. */
  device: string;
  /** Path of the .wim on that volume, such as prestage/content/ID/files/image.wim. */
  wim: string;
  /** Likewise, WIMs that hold what it leaves out, where it is a delta. */
  references?: readonly string[];
}

/**
 * Applies a Windows image onto the NTFS volume that also holds /prestage and the image itself. Every attempt begins by deleting
 * what an earlier one left. The volume is read through a read-only mount while wimlib writes to it: sound as long as nobody
 * else writes, since what is read was there before and does not move.
 */
export async function applyOsImageToNtfs(options: ApplyOsImageToNtfsOptions): Promise<void> {
  const { device, index, signal } = options;
  const keep = new Set(["prestage", "System Volume Information", ...(options.keep ?? [])].map((name) => name.toLowerCase()));
  options.onProgress?.({ phase: "clear", percent: 0 });
  await withNtfs(device, async (folder) => {
    await refuseKeptNames(join(folder, options.wim), index, keep);
    for (const name of await readdir(folder)) {
      signal?.throwIfAborted();
      if (!keep.has(name.toLowerCase())) await rm(join(folder, name), { recursive: true, force: true });
    }
  }, { signal });
  await withNtfs(device, (folder) => applyWimToNtfs(join(folder, options.wim), index, device, { signal, references: (options.references ?? []).map((path) => join(folder, path)), onPercent: (percent) => options.onProgress?.({ phase: "apply", percent }) }), { signal, readOnly: true });
  options.onProgress?.({ phase: "sync", percent: 100 });
  await runProgram("sync", [device], { signal });
}

async function refuseKeptNames(path: string, index: number, keep: ReadonlySet<string>): Promise<void> {
  const wim = await openWimFile(path);
  try {
    for (const { name } of (await wim.readImage(index)).root.children) {
      if (keep.has(name.toLowerCase())) throw new DiskError("PRESTAGE_DISK_IMAGE_REFUSED", `The OS image holds /${name}, which belongs to the deployment. Remove it from the image and import the image again.`);
    }
  } finally {
    await wim.close();
  }
}
