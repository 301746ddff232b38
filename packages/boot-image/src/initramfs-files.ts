import { lstat, readFile, readdir, readlink, realpath } from "node:fs/promises";
import { join, normalize, dirname } from "node:path";
import { BootImageError } from "./error.ts";
import type { InitramfsEntry } from "./newc.ts";

/** The files of an initramfs by path; folders are made up from the paths, and the order is that of the paths. */
export class InitramfsFiles {
  readonly #entries = new Map<string, InitramfsEntry>();

  file(path: string, data: Uint8Array | string, mode = 0o644): void {
    this.#entries.set(path, { kind: "file", path, mode, data: typeof data === "string" ? Buffer.from(data) : data });
  }

  link(path: string, target: string): void {
    this.#entries.set(path, { kind: "symlink", path, target });
  }

  device(path: string, mode: number, major: number, minor: number): void {
    this.#entries.set(path, { kind: "device", path, mode, major, minor });
  }

  directory(path: string, mode = 0o755): void {
    this.#entries.set(path, { kind: "directory", path, mode });
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** All entries, each folder before what lies in it. */
  entries(): InitramfsEntry[] {
    for (const path of this.#entries.keys()) {
      for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
        if (!this.#entries.has(folder)) this.directory(folder);
      }
    }
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}

/** /bin, /sbin, /lib and /lib64 are links into usr/: paths of packages that still use them move there. */
export function underUsr(path: string): string {
  return /^(bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path;
}

/** Finds a program under its merged path in packages that are not yet merged. */
export async function findProgram(root: string, path: string): Promise<string> {
  const base = path.split("/").at(-1) ?? path;
  for (const folder of ["usr/bin", "usr/sbin", "bin", "sbin"]) {
    const real = await realpath(join(root, folder, base)).catch(() => undefined);
    if (real?.startsWith(`${await realpath(root)}/`) === true) return real;
  }
  throw new BootImageError("PRESTAGE_BOOT_IMAGE_FILE_MISSING", `The program ${base} is in none of the unpacked packages. Empty the cache folder and build again.`);
}

/** Adds every file of a package, documentation apart, and returns the paths of its programs and libraries for the library search. */
export async function addPackageFiles(files: InitramfsFiles, root: string, paths: readonly string[]): Promise<string[]> {
  const binaries: string[] = [];
  for (const path of paths) {
    if (/^usr\/share\/(doc|man|locale|info|lintian|bug)\//.test(path) || normalize(path).startsWith("..")) continue;
    const source = join(root, path);
    const status = await lstat(source).catch(() => undefined);
    if (status === undefined || status.isDirectory()) continue;
    if (status.isSymbolicLink()) files.link(underUsr(path), await readlink(source));
    else if (status.isFile()) {
      const data = await readFile(source);
      files.file(underUsr(path), data, status.mode & 0o755);
      if (data.subarray(0, 4).toString("latin1") === "\x7fELF") binaries.push(source);
    }
  }
  return binaries;
}

/** All paths under a folder, relative to it. */
export async function listFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
}
