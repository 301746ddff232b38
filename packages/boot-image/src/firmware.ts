import { readFile, readdir, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { BootImageError } from "./error.ts";
import { runProgram } from "./run-program.ts";

export interface FirmwareFile {
  /** Path under /lib/firmware. */
  name: string;
  data: Uint8Array;
}

interface FirmwareFolder {
  /** Unpacked packages the folder lies in: links may not lead out of it. */
  root: string;
  folder: string;
}

/** The firmware files the chosen modules name and the packages have; a wanted file that no package has is left out, one a user asked for is an error. */
export async function selectFirmware(roots: readonly string[], moduleFiles: readonly string[], added: readonly string[], signal?: AbortSignal): Promise<FirmwareFile[]> {
  const folders = roots.flatMap((root) => ["usr/lib/firmware", "lib/firmware"].map((folder) => ({ root, folder: join(root, folder) })));
  const text = moduleFiles.length === 0 ? "" : await runProgram("modinfo", ["-F", "firmware", ...moduleFiles], { signal });
  const wanted = new Set(text.split("\n").map((line) => line.trim()).filter((line) => line !== ""));
  for (const name of added) wanted.add(name);
  const files: FirmwareFile[] = [];
  for (const name of [...wanted].sort()) {
    const found = await findFirmware(folders, name);
    if (found.length === 0 && added.includes(name)) {
      throw new BootImageError("PRESTAGE_BOOT_IMAGE_FIRMWARE_MISSING", `The firmware file ${name} is in none of the packages. Name the Debian package that holds it with --add-deb, or check the path (relative to /lib/firmware).`);
    }
    files.push(...found);
  }
  return files.filter((file, index) => files.findIndex((other) => other.name === file.name) === index);
}

/** Reads one firmware file; modules also name patterns such as `mellanox/*`, which are looked up in their folder. */
async function findFirmware(folders: readonly FirmwareFolder[], name: string): Promise<FirmwareFile[]> {
  if (name.split("/").includes("..") || name.startsWith("/")) return [];
  if (name.includes("*")) return findPattern(folders, name);
  for (const { root, folder } of folders) {
    const path = await realpath(join(folder, name)).catch(() => undefined);
    if (path === undefined || relative(await realpath(root), path).startsWith("..")) continue;
    if ((await stat(path)).isFile()) return [{ name, data: await readFile(path) }];
  }
  return [];
}

async function findPattern(folders: readonly FirmwareFolder[], pattern: string): Promise<FirmwareFile[]> {
  const cut = pattern.lastIndexOf("/");
  const directory = cut < 0 ? "" : pattern.slice(0, cut);
  if (directory.includes("*")) return [];
  const expression = new RegExp(`^${pattern.slice(cut + 1).split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")).join(".*")}$`);
  const found: FirmwareFile[] = [];
  for (const place of folders) {
    for (const name of await readdir(join(place.folder, directory)).catch(() => [])) {
      if (expression.test(name)) found.push(...(await findFirmware([place], join(directory, name))));
    }
  }
  return found;
}
