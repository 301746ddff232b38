import { mkdtemp, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "./error.ts";
import { mountExt4, unmount } from "./mount-volume.ts";
import { applyWimToNtfs, withNtfs } from "./ntfs-volume.ts";
import { runProgram } from "./run-program.ts";

export interface ApplyDataImageOptions {
  /** A partition with an ext4 or NTFS, not mounted. */
  device: string;
  wim: string;
  references?: readonly string[];
  index: number;
  /** Delete what is there; without it an image on ext4 is laid over it. */
  wipe: boolean;
  signal?: AbortSignal | undefined;
  onPercent?: (percent: number) => void;
}

/** What a partition or volume holds, by its own bytes and never from a cache: ext4, ntfs, crypto_LUKS ...; undefined for nothing known. */
export async function volumeFacts(device: string, options: { signal?: AbortSignal | undefined } = {}): Promise<{ type?: string; uuid?: string; label?: string }> {
  const { output } = await runProgram("blkid", ["--probe", "--output", "export", device], { accept: [0, 2, 8], signal: options.signal });
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(output)?.[1];
  const [type, uuid, label] = [value("TYPE"), value("UUID"), value("LABEL")];
  return { ...(type !== undefined && { type }), ...(uuid !== undefined && { uuid }), ...(label !== undefined && { label }) };
}

/**
 * Applies an image onto a volume that holds nothing of the deployment and need not start. Repeated after a cut it begins anew, or lays the same files again.
 * @throws DiskError PRESTAGE_DISK_BAD_FILE_SYSTEM
 */
export async function applyDataImage(options: ApplyDataImageOptions): Promise<"ext4" | "ntfs"> {
  const { device, wim, index, wipe, signal, references = [] } = options;
  const { type } = await volumeFacts(device, { signal });
  if (type === "ext4") {
    await withExt4(device, async (folder) => {
      if (wipe) await clear(folder, ["lost+found"], signal);
      let percent = -1;
      await runProgram("wimlib-imagex", ["apply", wim, String(index), folder, "--unix-data", "--norpfix", ...references.map((path) => `--ref=${path}`)], {
        signal,
        onLine: (line) => {
          const found = Number(/\((\d+)%\) done/.exec(line)?.[1] ?? "NaN");
          if (!Number.isNaN(found) && found !== percent) options.onPercent?.((percent = found));
        },
      });
      await runProgram("sync", ["-f", folder], { signal });
    }, signal);
    return type;
  }
  if (type === "ntfs") {
    // wimlib writes no name on an NTFS twice: a second try would meet the files of the first.
    if (!wipe) throw new DiskError("PRESTAGE_DISK_BAD_SETTING", `Expected to wipe ${device}: an image is not laid over what an NTFS holds. Leave out wipe: false.`);
    await withNtfs(device, (folder) => clear(folder, ["System Volume Information"], signal), { signal });
    await applyWimToNtfs(wim, index, device, { signal, references, ...(options.onPercent && { onPercent: options.onPercent }) });
    return type;
  }
  throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `Expected an ext4 or NTFS on ${device}, found ${type ?? "nothing known"}. Format it with a partition-disk step before.`);
}

async function withExt4(device: string, use: (folder: string) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-data-"));
  try {
    await mountExt4(device, folder, { options: ["noatime", "nodev", "nosuid"], signal }).catch(async (cause: unknown) => {
      // Stopped when it had mounted already.
      await runProgram("umount", [folder], { accept: [0, 1, 32] });
      throw cause;
    });
    try {
      await use(folder);
    } finally {
      await unmount(folder);
    }
  } finally {
    await rmdir(folder);
  }
}

async function clear(folder: string, keep: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  for (const name of await readdir(folder)) {
    signal?.throwIfAborted();
    if (!keep.includes(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}
