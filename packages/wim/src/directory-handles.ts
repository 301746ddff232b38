import { constants } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { WimError } from "./error.ts";
import { ioGuard } from "./source.ts";

const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Open at a time. */
const most = 64;

/**
 * The directories of a tree being laid down, each opened from its parent's descriptor without following links: what is made in
 * them cannot land elsewhere, even when somebody puts a link in the place of a directory meanwhile, and no path is ever too
 * long. Linux: `/proc/self/fd/N/name` is what openat(2) would be.
 */
export class DirectoryHandles {
  private readonly root: FileHandle;
  /** In the order they were used last. */
  private readonly open = new Map<string, FileHandle>();

  private constructor(root: FileHandle) {
    this.root = root;
  }

  /** `path` may be a link: it is the caller's own word. */
  static async at(path: string): Promise<DirectoryHandles> {
    return new DirectoryHandles(await ioGuard(`Cannot open ${path}`, () => open(path, constants.O_RDONLY | constants.O_DIRECTORY)));
  }

  /** A path at which the thing called `names` can be reached for one system call. */
  async place(names: readonly string[]): Promise<string> {
    return `/proc/self/fd/${(await this.directory(names.slice(0, -1))).fd}/${names.at(-1) ?? "."}`;
  }

  /** The same for another process. */
  async foreignPlace(names: readonly string[]): Promise<string> {
    return (await this.place(names)).replace("/proc/self/", `/proc/${process.pid}/`);
  }

  async make(names: readonly string[]): Promise<void> {
    const place = await this.place(names);
    await ioGuard(`Cannot make the directory ${names.join("/")}`, () => mkdir(place, 0o700));
  }

  /** The open directory. It may be closed once 64 others were asked for. */
  async directory(names: readonly string[]): Promise<FileHandle> {
    let parent = this.root;
    let key = "";
    for (const name of names) {
      key = `${key}/${name}`;
      const present = this.open.get(key);
      const place = `/proc/self/fd/${parent.fd}/${name}`;
      const handle = present ?? (await enter(place, key));
      this.open.delete(key);
      this.open.set(key, handle);
      parent = handle;
      await this.closeOldest(parent);
    }
    return parent;
  }

  /** The same, open until the caller closes it. */
  async own(names: readonly string[]): Promise<FileHandle> {
    const { fd } = await this.directory(names);
    return await ioGuard(`Cannot open ${names.join("/")}`, () => open(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  private async closeOldest(used: FileHandle): Promise<void> {
    for (const [oldest, handle] of this.open) {
      if (this.open.size <= most || handle === used) break;
      this.open.delete(oldest);
      await handle.close();
    }
  }

  async close(): Promise<void> {
    for (const handle of this.open.values()) await handle.close();
    this.open.clear();
    await this.root.close();
  }
}

async function enter(place: string, key: string): Promise<FileHandle> {
  try {
    return await open(place, flags);
  } catch (cause) {
    throw new WimError("PRESTAGE_WIM_EXTRACT", `${key.slice(1)} is not a directory any more: somebody changed the target meanwhile. Nothing was written through it.`, { cause });
  }
}
