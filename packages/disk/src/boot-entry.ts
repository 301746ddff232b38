import { runProgram } from "./run-program.ts";

/**
 * Adds a firmware entry for the disk's loader: a convenience and never needed, since the loader lies at the path every
 * firmware looks at. Of Windows, too, it is that one and not its boot manager: the boot switch decides what starts. Returns whether it was added; firmware variables may be full, locked or not there at all.
 */
export async function addBootEntry(disk: string, espPartition: number, label: string, options: { signal?: AbortSignal | undefined } = {}): Promise<boolean> {
  const args = ["--create", "--disk", disk, "--part", String(espPartition), "--label", label, "--loader", "\\EFI\\BOOT\\BOOTX64.EFI"];
  return runProgram("efibootmgr", args, options).then(() => true, () => {
    options.signal?.throwIfAborted();
    return false;
  });
}
