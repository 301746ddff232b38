import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { promisify } from "node:util";

/** Copies a disk image of a machine that does not run, keeping its holes, so that tests can start from that point again. */
export async function checkpoint(disk: string, copy: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  const partial = `${copy}.partial-${process.pid}`;
  await promisify(execFile)("cp", ["--sparse=always", "--reflink=auto", disk, partial], { signal: options.signal });
  await rename(partial, copy);
}
