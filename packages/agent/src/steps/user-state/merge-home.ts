import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, open, readdir, readlink, rm, symlink, utimes } from "node:fs/promises";
import type { Stats } from "node:fs";
import { join } from "node:path";

/** Told of what is no file, folder or symbolic link, by its path in the home. */
type LeftOut = (path: string) => void;

/** Takes out device nodes, sockets and FIFOs: as its user's own, a node of a disk would give him the disk. */
export async function removeSpecial(root: string, leftOut: LeftOut, signal: AbortSignal, below = ""): Promise<void> {
  signal.throwIfAborted();
  for (const name of await readdir(join(root, below))) {
    const path = join(below, name);
    const status = await lstat(join(root, path));
    if (status.isDirectory()) await removeSpecial(root, leftOut, signal, path);
    else if (!isOrdinary(status)) {
      await rm(join(root, path));
      leftOut(path);
    }
  }
}

/** Copies what `home` alone has into `made`, at every depth; what `made` has already stays as it is. */
export async function mergeKept(home: string, made: string, leftOut: LeftOut, signal: AbortSignal, below = ""): Promise<void> {
  for (const name of await readdir(join(home, below))) {
    signal.throwIfAborted();
    const path = join(below, name);
    const [from, to] = [join(home, path), join(made, path)];
    const status = await lstat(from);
    const taken = await lstat(to).catch(() => undefined);
    if (status.isDirectory()) {
      if (taken !== undefined && !taken.isDirectory()) continue;
      if (taken === undefined) await mkdir(to, { mode: 0o700 });
      await mergeKept(home, made, leftOut, signal, path);
      if (taken === undefined) await takeOver(to, status);
    } else if (taken !== undefined) continue;
    else if (status.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (status.isFile()) await copyKept(from, to);
    else leftOut(path);
  }
}

/** Its user may put a link in its place meanwhile, which would lead to somebody else's file. */
async function copyKept(from: string, to: string): Promise<void> {
  const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new Error(`Expected the file ${from}; it was replaced while it was copied.`);
    await copyFile(`/proc/self/fd/${file.fd}`, to, constants.COPYFILE_EXCL);
    await takeOver(to, status);
  } finally {
    await file.close();
  }
}

async function takeOver(path: string, status: Stats): Promise<void> {
  await chmod(path, status.mode & 0o777);
  await utimes(path, status.atime, status.mtime);
}

function isOrdinary(status: Stats): boolean {
  return status.isFile() || status.isDirectory() || status.isSymbolicLink();
}
