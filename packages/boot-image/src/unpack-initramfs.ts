import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile, chmod } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { BootImageError } from "./error.ts";
import { readNewc } from "./newc.ts";

/**
 * Unpacks an initramfs made by `buildBootImage` into an empty folder, device nodes left out: for looking into it, and for
 * running the agent in it without starting a machine.
 */
export async function unpackInitramfs(initrd: string, folder: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  const { stdout } = await promisify(execFile)("zstd", ["-dcq", initrd], { encoding: "buffer", maxBuffer: 2 ** 30, signal: options.signal });
  for (const entry of readNewc(stdout)) {
    const path = normalize(entry.path);
    if (path.startsWith("..") || path.startsWith("/")) throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", `Expected paths inside the initramfs, found ${entry.path}.`);
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    if (entry.kind === "directory") {
      await mkdir(target, { recursive: true });
      await chmod(target, entry.mode);
    } else if (entry.kind === "symlink") await symlink(entry.target, target);
    else if (entry.kind === "file") {
      await writeFile(target, entry.data);
      await chmod(target, entry.mode);
    }
  }
}
