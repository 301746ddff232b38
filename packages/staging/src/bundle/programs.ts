import { access, constants, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { StagingError } from "../error.ts";

/** Every program that staging, receipts and the reading of media run; a depot without any of them is given these. */
export const bundledPrograms = [
  "wimlib-imagex", "sfdisk", "wipefs", "blkid", "lsblk", "blockdev", "partx", "losetup", "mount", "umount", "sync",
  "mke2fs", "e2fsck", "tune2fs", "debugfs", "mkfs.vfat", "mcopy", "mdir",
] as const;

/** A program to copy: the name it is called by, and the file it is; several names may be one file, which looks at its name. */
export interface BundledProgram {
  name: string;
  path: string;
  file: string;
}

/** Finds the programs on this machine. @throws StagingError PRESTAGE_STAGING_BUNDLE */
export async function findPrograms(names: readonly string[], searchPath: string): Promise<BundledProgram[]> {
  const folders = [...new Set([...searchPath.split(":"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])].filter((folder) => folder.startsWith("/"));
  return Promise.all(
    names.map(async (name) => {
      for (const folder of folders) {
        const path = await access(join(folder, name), constants.X_OK).then(() => realpath(join(folder, name)), () => undefined);
        if (path !== undefined) return { name, path, file: basename(path) };
      }
      throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected the program ${name} on this machine, to put it into the bundle; found none. Install the Debian package that holds it: util-linux, mount, e2fsprogs, dosfstools, mtools, wimtools.`);
    }),
  );
}
