import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { InitramfsFiles } from "./initramfs-files.ts";
import type { KernelTree } from "./kernel-modules.ts";
import { runProgram } from "./run-program.ts";
import { selectFirmware } from "./firmware.ts";

export interface SizedFile {
  name: string;
  size: number;
}

/**
 * Adds modules and the firmware they name. Modules are only unpacked (.ko.xz), never stripped or changed: under Secure
 * Boot the kernel loads them by the signature at their end.
 */
export async function addModules(
  files: InitramfsFiles,
  kernel: KernelTree,
  paths: readonly string[],
  firmware: { roots: readonly string[]; added: readonly string[] },
  signal?: AbortSignal,
): Promise<{ modules: SizedFile[]; firmware: SizedFile[] }> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-modules-"));
  try {
    const target = join(folder, "lib/modules", kernel.version);
    for (const path of paths) {
      await mkdir(dirname(join(target, path)), { recursive: true });
      await copyFile(join(kernel.folder, path), join(target, path));
    }
    const packed = paths.filter((path) => path.endsWith(".xz")).map((path) => join(target, path));
    if (packed.length > 0) await runProgram("zstd", ["-d", "-q", "--rm", ...packed], { signal });
    for (const name of ["modules.order", "modules.builtin", "modules.builtin.modinfo"]) await copyFile(join(kernel.folder, name), join(target, name));
    await runProgram("depmod", ["-b", folder, kernel.version], { signal });
    for (const name of ["modules.order", "modules.builtin", "modules.dep", "modules.alias", "modules.symbols", "modules.softdep"]) {
      files.file(`usr/lib/modules/${kernel.version}/${name}`, await readFile(join(target, name)));
    }
    const modules: SizedFile[] = [];
    const unpacked = paths.map((path) => path.replace(/\.xz$/, ""));
    for (const path of unpacked) {
      const data = await readFile(join(target, path));
      files.file(`usr/lib/modules/${kernel.version}/${path}`, data);
      modules.push({ name: path, size: data.length });
    }
    const chosen = await selectFirmware(firmware.roots, unpacked.map((path) => join(target, path)), firmware.added, signal);
    for (const file of chosen) files.file(`usr/lib/firmware/${file.name}`, file.data);
    return { modules, firmware: chosen.map((file) => ({ name: file.name, size: file.data.length })) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
