import { createHash } from "node:crypto";
import { constants, createReadStream, existsSync } from "node:fs";
import { appendFile, chmod, copyFile, lutimes, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { baseInitramfs, type BaseInitramfs } from "./base-initramfs.ts";
import { compressTo } from "./compress.ts";
import type { DebianPackage } from "./debian-tree.ts";
import { BootImageError } from "./error.ts";
import { grubConfig, initialBootEnvironment } from "./grub-config.ts";
import { InitramfsFiles } from "./initramfs-files.ts";
import type { SizedFile } from "./module-files.ts";
import { writeNewc } from "./newc.ts";
import type { BootProfile } from "./profiles.ts";
import { pruneCache, touch } from "./prune-cache.ts";
import { runProgram } from "./run-program.ts";
import { fixWimTimes } from "./wim-times.ts";
import { windowsFiles, windowsRuntime } from "./windows/windows-runtime.ts";
import type { WindowsRuntime } from "./windows/windows-runtime.ts";

export interface BootImageOptions {
  profile: BootProfile;
  /** The bytes of keyring.dsse.json: a boot image belongs to one site. */
  keyring: Uint8Array;
  /** Path of the agent, bundled into one .mjs. */
  agentBundle: string;
  nodeBinary: string;
  /** Path of the WIM to write. */
  output: string;
  cacheDir: string;
  addModules?: readonly string[];
  addFirmware?: readonly string[];
  /** Names of Debian packages, or paths of .deb files. */
  addDebs?: readonly string[];
  /** Address of a Debian main archive to use instead of the machine's own sources. */
  mirror?: string;
  /** Adds what the agent needs in an installed Windows: for media that deploy one. */
  windows?: boolean;
  /** Asks the archives for newer packages although the cache holds some. */
  refresh?: boolean;
  /** zstd level of the initramfs, 15 by default; 3 is ten times faster and a tenth larger. */
  compressionLevel?: number;
  signal?: AbortSignal;
  onProgress?: (event: { message: string }) => void;
}

export interface BootImageResult {
  output: string;
  sha256: string;
  profile: BootProfile;
  kernelVersion: string;
  modules: SizedFile[];
  firmware: SizedFile[];
  packages: DebianPackage[];
  /** Bytes. */
  sizes: { vmlinuz: number; initrd: number; total: number };
  fromCache: boolean;
}

/** Boot images kept in the cache: about 100 MB each. */
const keptImages = 6;

/** The parts of the loader chain: path on the ESP, and where Debian's packages hold it. */
const loaderFiles: Readonly<Record<string, string>> = {
  "EFI/BOOT/BOOTX64.EFI": "usr/lib/shim/shimx64.efi.signed",
  "EFI/BOOT/grubx64.efi": "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
  "EFI/BOOT/mmx64.efi": "usr/lib/shim/mmx64.efi.signed",
};

/**
 * Builds a boot image: one WIM whose image 1 is what the EFI system partition gets and image 2 the agent. The same
 * package versions and inputs give the same bytes.
 */
export async function buildBootImage(options: BootImageOptions): Promise<BootImageResult> {
  const onProgress = (message: string): void => options.onProgress?.({ message });
  const agent = await readInput(options.agentBundle, "agent bundle");
  if (!existsSync(options.nodeBinary)) throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", `Expected the Node binary at ${options.nodeBinary}, found nothing there.`);
  if (options.keyring.length === 0) throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", "Expected the site's keyring, found no bytes. Start the site once so that it makes its keys.");
  const level = options.compressionLevel ?? 15;
  const base = await baseInitramfs({
    profile: options.profile, nodeBinary: options.nodeBinary, cacheDir: options.cacheDir, addModules: options.addModules ?? [], addFirmware: options.addFirmware ?? [],
    addDebs: options.addDebs ?? [], mirror: options.mirror, refresh: options.refresh ?? false, compressionLevel: level, signal: options.signal, onProgress,
  });
  const windows = options.windows === true ? await windowsRuntime({ nodeBinary: options.nodeBinary, cacheDir: options.cacheDir, signal: options.signal, onProgress }) : undefined;
  const key = createHash("sha256").update(JSON.stringify([base.key, (await runProgram("wimlib-imagex", ["--version"])).split("\n")[0], ...(windows === undefined ? [] : [windows.hash])])).update(options.keyring).update("\0").update(agent).digest();
  const cached = join(options.cacheDir, "boot-image", `${key.toString("hex")}.wim`);
  const sizesPath = `${cached}.json`;
  const fromCache = existsSync(cached) && existsSync(sizesPath);
  if (!fromCache) {
    await mkdir(dirname(cached), { recursive: true });
    const work = await mkdtemp(join(tmpdir(), "prestage-boot-image-"));
    try {
      const boot = join(work, "boot");
      const initrd = await layBootFiles(boot, base, options.keyring, agent, level, options.signal);
      await layAgentFiles(join(work, "agent"), base, agent, windows);
      onProgress("capturing the boot image");
      const wim = `${cached}.partial-${process.pid}`;
      await capture(work, wim, base.time, key.subarray(0, 16), options.signal);
      await writeFile(sizesPath, JSON.stringify({ vmlinuz: (await stat(base.kernel.image)).size, initrd }));
      await rename(wim, cached);
      await pruneCache(dirname(cached), ".wim", keptImages);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  await touch(cached);
  const partial = `${options.output}.partial-${process.pid}`;
  await mkdir(dirname(options.output), { recursive: true });
  await copyFile(cached, partial, constants.COPYFILE_FICLONE);
  await rename(partial, options.output);
  const sizes = JSON.parse(await readFile(sizesPath, "utf8")) as { vmlinuz: number; initrd: number };
  return {
    output: options.output, sha256: await hashFile(options.output), profile: options.profile, kernelVersion: base.kernel.version, modules: base.modules, firmware: base.firmware,
    packages: base.packages, sizes: { ...sizes, total: (await stat(options.output)).size }, fromCache,
  };
}

/** Lays out image 1; returns the size of the initramfs. */
async function layBootFiles(folder: string, base: BaseInitramfs, keyring: Uint8Array, agent: Uint8Array, level: number, signal: AbortSignal | undefined): Promise<number> {
  for (const name of ["EFI/BOOT", "EFI/debian", "prestage"]) await mkdir(join(folder, name), { recursive: true });
  for (const [path, source] of Object.entries(loaderFiles)) await copyFile(join(base.userland.root, source), join(folder, path));
  await writeFile(join(folder, "EFI/debian/grub.cfg"), grubConfig);
  await writeFile(join(folder, "prestage/boot.env"), initialBootEnvironment());
  await copyFile(base.kernel.image, join(folder, "prestage/vmlinuz"));
  const initrd = join(folder, "prestage/initrd");
  await copyFile(base.archive, initrd, constants.COPYFILE_FICLONE);
  // The kernel unpacks archives that follow each other: the site's own part is the second.
  const own = new InitramfsFiles();
  own.file("agent/agent.mjs", agent);
  own.file("etc/prestage/keyring.dsse.json", keyring);
  const ownPath = join(folder, "own.cpio.zst");
  await compressTo(ownPath, writeNewc(own.entries(), base.time), level, signal);
  await appendFile(initrd, await readFile(ownPath));
  await rm(ownPath);
  return (await stat(initrd)).size;
}

/** Lays out image 2: what the installed system and the boot environment both find under /prestage/agent. */
async function layAgentFiles(folder: string, base: BaseInitramfs, agent: Uint8Array, windows: WindowsRuntime | undefined): Promise<void> {
  await mkdir(folder);
  if (windows !== undefined) {
    await mkdir(join(folder, "windows"));
    for (const name of ["node", "service"] as const) {
      await copyFile(windows[name], join(folder, "windows", windowsFiles[name]), constants.COPYFILE_FICLONE);
      await chmod(join(folder, "windows", windowsFiles[name]), 0o644);
    }
    await chmod(join(folder, "windows"), 0o755);
  }
  await writeFile(join(folder, "agent.mjs"), agent);
  await copyFile(base.node, join(folder, "node"), constants.COPYFILE_FICLONE);
  await chmod(join(folder, "agent.mjs"), 0o644);
  await chmod(join(folder, "node"), 0o755);
  await chmod(folder, 0o755);
}

/** Captures both folders into one WIM whose bytes depend on them alone. */
async function capture(work: string, wim: string, time: number, guid: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  await rm(wim, { force: true });
  await setTimes(join(work, "boot"), time);
  await setTimes(join(work, "agent"), time);
  const options = ["--check", "--threads=2", "--norpfix"];
  await runProgram("wimlib-imagex", ["capture", join(work, "boot"), wim, "boot", "--compress=LZX:20", ...options], { signal });
  await runProgram("wimlib-imagex", ["append", join(work, "agent"), wim, "agent", "--unix-data", "--rebuild", ...options], { signal });
  await fixWimTimes(wim, guid, time);
}

async function setTimes(folder: string, time: number): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) await lutimes(join(entry.parentPath, entry.name), time, time);
  await utimes(folder, time, time);
}

async function readInput(path: string, what: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", `Expected the ${what} at ${path}, could not read it. Build it first.`, { cause });
  });
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}
