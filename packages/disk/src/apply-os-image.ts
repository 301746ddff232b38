import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openWimFile } from "@prestage/wim";
import { DiskError } from "./error.ts";
import { runProgram } from "./run-program.ts";

export interface ApplyOsImageOptions {
  /** Path of the .wim, which may lie on the target volume itself. */
  wim: string;
  /** WIMs that hold what `wim` leaves out, where it is a delta. */
  references?: readonly string[];
  index: number;
  /** Where the volume is mounted. */
  target: string;
  /** Names in the volume's root that stay and that the image may not bring; prestage and lost+found always. */
  keep?: readonly string[];
  signal?: AbortSignal;
  /** Percent of the image. */
  onProgress?: (event: { phase: "clear" | "apply" | "sync"; percent: number }) => void;
}

/**
 * Applies an OS image onto a mounted volume that also holds /prestage. Every attempt begins by deleting what an earlier
 * one left, since an interrupted apply leaves files the next would not remove. When this returns, all of it is on the disk.
 */
export async function applyOsImage(options: ApplyOsImageOptions): Promise<void> {
  const keep = new Set(["prestage", "lost+found", ...(options.keep ?? [])]);
  for (const name of await rootNames(options.wim, options.index)) {
    if (keep.has(name)) throw new DiskError("PRESTAGE_DISK_IMAGE_REFUSED", `The OS image holds /${name}, which belongs to the deployment. Remove it from the image and import the image again.`);
  }
  options.onProgress?.({ phase: "clear", percent: 0 });
  for (const name of await readdir(options.target)) {
    options.signal?.throwIfAborted();
    if (!keep.has(name)) await rm(join(options.target, name), { recursive: true, force: true });
  }
  let percent = -1;
  await runProgram("wimlib-imagex", ["apply", options.wim, String(options.index), options.target, "--unix-data", "--norpfix", ...(options.references ?? []).map((path) => `--ref=${path}`)], {
    signal: options.signal,
    onLine: (line) => {
      const found = Number(/\((\d+)%\) done/.exec(line)?.[1] ?? "NaN");
      if (Number.isNaN(found) || found === percent) return;
      percent = found;
      options.onProgress?.({ phase: "apply", percent });
    },
  });
  options.onProgress?.({ phase: "sync", percent: 100 });
  await runProgram("sync", ["-f", options.target], { signal: options.signal }); // wimlib does not
  for (const name of ["usr", "etc", "boot"]) {
    await lstat(join(options.target, name)).catch((cause: unknown) => {
      throw new DiskError("PRESTAGE_DISK_IMAGE_REFUSED", `Expected a Linux system with /${name} in image ${options.index} of ${options.wim}, found none. Choose the right image index.`, { cause });
    });
  }
}

/** Names in an image's root. */
async function rootNames(path: string, index: number): Promise<string[]> {
  const wim = await openWimFile(path);
  try {
    return (await wim.readImage(index)).root.children.map((entry) => entry.name);
  } finally {
    await wim.close();
  }
}
