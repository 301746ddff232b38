import { lstat, mkdir, open, readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { DiskError } from "../error.ts";
import { bcdStore } from "./bcd-store.ts";
import type { BcdOptions } from "./bcd-store.ts";
import { windowsPath } from "./windows-path.ts";

/** All boot files of a Windows with every language are 30 MB. */
const maximumBytes = 256 << 20;
const maximumFiles = 10_000;

/** Where they lie in an installed Windows, and where the boot manager looks for them on the EFI system partition. */
export const windowsBootFolder = "EFI/Microsoft/Boot";
const parts: readonly { from: string; to: string }[] = [
  { from: "Windows/Boot/EFI", to: windowsBootFolder },
  { from: "Windows/Boot/Fonts", to: `${windowsBootFolder}/Fonts` },
  { from: "Windows/Boot/Resources", to: `${windowsBootFolder}/Resources` },
];

export interface WindowsBootOptions extends Omit<BcdOptions, "locale"> {
  /** Where the applied Windows volume is mounted, and the EFI system partition, writable. */
  volumeRoot: string;
  espRoot: string;
  locale?: string;
  signal?: AbortSignal | undefined;
  onProgress?: (event: { files: number; total: number }) => void;
}

/**
 * Puts onto the EFI system partition what Windows starts from: the applied image's own boot manager with its languages, fonts and resources, and a
 * store that names this disk and volume. Nothing is renamed or replaced by another file (FAT): what is there with other bytes is written over in
 * place, which only matters before the boot switch leads here. May be repeated; what is right is left alone. Everything is read back.
 *
 * The boot manager is the image's Windows\Boot\EFI, as bcdboot takes it. Of the copies signed under the 2023 certificates (Windows\Boot\EFI_EX)
 * none is chosen: firmware that does not know them yet would refuse it, and Windows' own servicing exchanges it where the firmware does.
 * @throws DiskError PRESTAGE_DISK_NO_BOOT_FILES
 */
export async function layWindowsBootFiles(options: WindowsBootOptions): Promise<{ files: number; written: number; bytes: number }> {
  const files = await listBootFiles(options.volumeRoot);
  let [written, bytes] = [0, 0];
  for (const [i, { from, to }] of files.entries()) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ files: i, total: files.length });
    const content = await readFile(from);
    bytes += content.length;
    if (await writeOnFat(join(options.espRoot, to), content)) written++;
  }
  // Last: without it the boot manager starts nothing.
  const store = bcdStore({ ...options, locale: options.locale ?? "en-US" }, new Date(0));
  if (await writeOnFat(join(options.espRoot, windowsBootFolder, "BCD"), store)) written++;
  return { files: files.length + 1, written, bytes: bytes + store.length };
}

async function listBootFiles(root: string): Promise<{ from: string; to: string }[]> {
  const files: { from: string; to: string; size: number }[] = [];
  for (const { from, to } of parts) {
    const folder = await windowsPath(root, from);
    if (folder === undefined) continue;
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue; // neither links nor what they lead to
      const path = join(entry.parentPath, entry.name);
      files.push({ from: path, to: join(to, relative(folder, path)), size: (await lstat(path)).size });
    }
  }
  const bytes = files.reduce((sum, one) => sum + one.size, 0);
  if (files.length > maximumFiles || bytes > maximumBytes) throw new DiskError("PRESTAGE_DISK_NO_BOOT_FILES", `Expected at most ${maximumFiles} boot files with ${maximumBytes} bytes in Windows\\Boot; found ${files.length} with ${bytes}. The image is none of Windows.`);
  for (const name of ["bootmgfw.efi"]) {
    if (!files.some(({ to }) => to.toLowerCase() === `${windowsBootFolder}/${name}`.toLowerCase())) throw new DiskError("PRESTAGE_DISK_NO_BOOT_FILES", `Expected Windows\\Boot\\EFI\\${name} in the applied image; found none. Apply an image of Windows 8 or newer for x64, with its own boot files.`);
  }
  if ((await windowsPath(root, "Windows/System32/winload.efi")) === undefined) throw new DiskError("PRESTAGE_DISK_NO_BOOT_FILES", "Expected Windows\\System32\\winload.efi in the applied image; found none. Apply an image of Windows 8 or newer for x64.");
  return files.sort((a, b) => (a.to < b.to ? -1 : 1));
}

/** Returns whether anything had to be written. */
async function writeOnFat(path: string, content: Buffer): Promise<boolean> {
  const before = await readFile(path).catch(() => undefined);
  if (before?.equals(content) === true) return false;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, before === undefined ? "w" : "r+");
  try {
    await file.write(content, 0, content.length, 0);
    await file.truncate(content.length);
    await file.sync();
  } finally {
    await file.close();
  }
  for (const folder of [dirname(path), dirname(dirname(path))]) {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  if (!(await readFile(path)).equals(content)) throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `Expected ${path} as it was written; read back something else. The disk may be failing.`);
  return true;
}
