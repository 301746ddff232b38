import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { FileSource, WimSource } from "./build-plan.ts";
import { symlinkTag, type UnixItem } from "./entry.ts";
import { WimError } from "./error.ts";
import { ioGuard } from "./source.ts";

export interface FolderOptions {
  /** Keep owner, mode and devices. */
  readonly unixData?: boolean;
  /** Given to every entry. */
  readonly securityDescriptor?: Uint8Array;
  readonly signal?: AbortSignal;
}

/**
 * A folder of the disk as sources of a build, in the order of its names: files are stored, links and hard links kept. Its root's
 * own metadata are those of the destination. Extended attributes are not read: to keep them, or to compress, capture the
 * folder with `captureFolder` and merge that. Throws PRESTAGE_WIM_IO, PRESTAGE_WIM_UNSAFE_NAME for a name that is not UTF-8.
 */
export async function folderSources(folder: string, destination: string, options: FolderOptions = {}): Promise<WimSource[]> {
  const sources: WimSource[] = [];
  const links = new Map<string, string>();
  const pending: { path: string; destination: string }[] = [{ path: folder, destination }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    options.signal?.throwIfAborted();
    const { path, destination: at } = next;
    const stat = await ioGuard(`Cannot read ${path}`, () => lstat(path, { bigint: true }));
    const unix = options.unixData === true ? unixOf(stat) : undefined;
    const common = { destination: at, ...(unix !== undefined && { unix }), ...(options.securityDescriptor && { securityDescriptor: options.securityDescriptor }) };
    const time = stat.mtimeNs / 100n + 116_444_736_000_000_000n;
    if (stat.isDirectory()) {
      sources.push({ kind: "directory", time, ...common });
      const names = await readNames(path);
      for (const name of names.reverse()) pending.push({ path: join(path, name), destination: at === "" ? name : `${at}/${name}` });
    } else if (stat.isSymbolicLink()) {
      const target = await ioGuard(`Cannot read ${path}`, () => readlink(path));
      sources.push({ ...symlinkSource(at, target), time, ...common });
    } else {
      const inode = `${stat.dev} ${stat.ino}`;
      const hardLink = links.get(inode) ?? at;
      if (stat.nlink > 1n) links.set(inode, hardLink);
      const from = stat.isFile() ? { path } : { bytes: new Uint8Array(0) };
      sources.push({ kind: "file", from, size: stat.isFile() ? Number(stat.size) : 0, time, ...common, ...(stat.nlink > 1n && { hardLink }) });
    }
  }
  return sources;
}

/** A symbolic link; the target as Linux spells it. */
export function symlinkSource(destination: string, target: string): FileSource {
  const bytes = symlinkData(target);
  return { kind: "file", destination, from: { bytes }, size: bytes.length, reparseTag: symlinkTag };
}

/**
 * `u16 substitute offset, length, print offset, length | u32 flags (1 relative) | names` ([MS-FSCC] 2.1.2.4). Slash and backslash
 * change places; an absolute target lies on C:, as wimlib has it.
 */
function symlinkData(target: string): Buffer {
  const swapped = target.replaceAll(/[\\/]/g, (character) => (character === "\\" ? "/" : "\\"));
  const absolute = target.startsWith("/");
  const substitute = Buffer.from(absolute ? `\\??\\C:${swapped}` : swapped, "utf16le");
  const shown = Buffer.from(absolute ? `C:${swapped}` : swapped, "utf16le");
  const head = Buffer.alloc(12);
  head.writeUInt16LE(0, 0);
  head.writeUInt16LE(substitute.length, 2);
  head.writeUInt16LE(substitute.length + 2, 4);
  head.writeUInt16LE(shown.length, 6);
  head.writeUInt32LE(absolute ? 0 : 1, 8);
  return Buffer.concat([head, substitute, Buffer.alloc(2), shown, Buffer.alloc(2)]);
}

async function readNames(path: string): Promise<string[]> {
  const names = await ioGuard(`Cannot read ${path}`, () => readdir(path, { encoding: "buffer" }));
  return names
    .map((bytes) => {
      const name = bytes.toString();
      if (!Buffer.from(name).equals(bytes)) throw new WimError("PRESTAGE_WIM_UNSAFE_NAME", `${path} has a name that is not UTF-8: ${bytes.toString("latin1")}. Rename it.`);
      return name;
    })
    .sort();
}

function unixOf(stat: BigIntStats): UnixItem {
  return { uid: Number(stat.uid), gid: Number(stat.gid), mode: Number(stat.mode), rdev: Number(BigInt.asUintN(32, stat.rdev)) };
}
