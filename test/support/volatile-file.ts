import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startVolatileDisk } from "@prestage/lab";
import type { VolatileDisk } from "@prestage/lab";

const run = promisify(execFile);

/**
 * A disk image as a file whose writes go through a volatile write cache: what a program on this machine writes and does not flush
 * is lost in part when the power is cut. The file is QEMU's FUSE export of the cache's network block device.
 */
export class VolatileFile {
  readonly path: string;
  readonly disk: VolatileDisk;
  readonly #folder: string;
  readonly #pid: number;

  private constructor(folder: string, path: string, disk: VolatileDisk, pid: number) {
    this.#folder = folder;
    this.path = path;
    this.disk = disk;
    this.#pid = pid;
  }

  /** `name` is the file's: what a disk image is known by. */
  static async open(image: string, name: string, seed: number): Promise<VolatileFile> {
    const folder = await mkdtemp(join(tmpdir(), "prestage-vf-"));
    const [path, pidFile] = [join(folder, "mount", name), join(folder, "pid")];
    await mkdir(join(folder, "mount"));
    await writeFile(path, "");
    const disk = await startVolatileDisk(image, join(folder, "nbd"), seed);
    await run("qemu-storage-daemon", [
      "--blockdev", `driver=nbd,node-name=disk,server.type=unix,server.path=${join(folder, "nbd")}`, "--export", `type=fuse,id=file,node-name=disk,mountpoint=${path},writable=on`, "--daemonize", "--pidfile", pidFile,
    ]);
    return new VolatileFile(folder, path, disk, Number(await readFile(pidFile, "utf8")));
  }

  /** Unmounts; what was flushed is on the image, and what was not as well unless the power was cut before. */
  async close(): Promise<void> {
    process.kill(this.#pid, "SIGTERM");
    await this.disk.end.catch(() => undefined);
    await run("umount", ["-l", this.path]).catch(() => undefined); // the daemon unmounts by itself
    await rm(this.#folder, { recursive: true, force: true });
  }
}
