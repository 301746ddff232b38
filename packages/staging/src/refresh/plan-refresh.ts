import type { Ext4Edit } from "@prestage/disk";
import { dataPaths, type MediaEntry, type OpenMedia } from "@prestage/media";
import { join } from "node:path";
import { ownPaths } from "../disk-receipt.ts";
import { StagingError } from "../error.ts";
import type { ShelfDisk } from "./shelf-disk.ts";
import type { WantedFile } from "./wanted-files.ts";

/** What happens to a disk. `edits` in the order in which they are done. */
export interface RefreshPlan { edits: Ext4Edit[]; /** The EFI system partition is made anew. */ esp: boolean; removed: string[] }

/** ext4 keeps a little for its own tables, in bytes. */
const reserve = 16 << 20;
/** For what is made beside the media's files: the receipt, the marks of an attempt. */
const reservedInodes = 8;

/** Neither the media's nor in the way: receipt, claim, logs, what file systems keep for themselves. */
function isKept(path: string): boolean {
  const roots = [`${dataPaths.root}/log`, `${dataPaths.root}/state`];
  return ownPaths.includes(path) || path === "lost+found" || roots.some((root) => path === root || path.startsWith(`${root}/`));
}

/**
 * The changes that make the data volume hold the files wanted and no others: `changed` are those it lacks or has otherwise, made
 * already in `folder` under their SHA-256. New ones come before old ones go, where both find room: what a cut leaves then still
 * has what the next attempt can use.
 * @throws StagingError PRESTAGE_STAGING_NOT_REFRESHABLE
 */
export function planRefresh(shelf: ShelfDisk, media: OpenMedia, wanted: readonly WantedFile[], changed: readonly WantedFile[], folder: string): RefreshPlan {
  const data = new Map(wanted.filter((one) => one.volume === "data").map((one) => [one.path, one]));
  const remove = [...shelf.nodes.values()].filter((node) => node.kind !== "directory" && !data.has(node.path) && !isKept(node.path));
  const removeFolders = [...shelf.nodes.values()].filter((node) => node.kind === "directory" && !media.folders.has(node.path) && !isKept(node.path)).toSorted((a, b) => (a.path < b.path ? 1 : -1));
  const newFolders = [...media.folders].filter(([path]) => shelf.nodes.get(path)?.kind !== "directory").toSorted(([a], [b]) => (a < b ? -1 : 1));
  const newFiles = changed.filter((one) => one.volume === "data");
  const inTheWay = newFiles.some((one) => shelf.nodes.get(one.path)?.kind === "directory") || newFolders.some(([path]) => shelf.nodes.has(path));
  const needed = newFiles.reduce((sum, one) => sum + blocks(one.size), reserve);
  const freed = remove.reduce((sum, one) => sum + blocks(one.size), 0) + newFiles.reduce((sum, one) => sum + blocks(shelf.nodes.get(one.path)?.size ?? 0), 0);
  if (needed > shelf.freeBytes + freed) throw new StagingError("PRESTAGE_STAGING_NOT_REFRESHABLE", `Expected room for ${needed} bytes on the data volume of ${shelf.disk.path}; ${shelf.freeBytes + freed} are free once the old files are gone. Use a larger disk.`);
  // A new file lies beside the old one of its name for a moment.
  const inodes = newFiles.length + newFolders.length;
  const freedInodes = remove.length + removeFolders.length + newFiles.filter((one) => shelf.nodes.has(one.path)).length;
  if (inodes + reservedInodes > shelf.freeInodes + freedInodes) throw new StagingError("PRESTAGE_STAGING_NOT_REFRESHABLE", `Expected room for ${inodes} more files and folders on the data volume of ${shelf.disk.path}; its file system can keep ${Math.max(0, shelf.freeInodes + freedInodes - reservedInodes)} once the old ones are gone. Stage the disk anew.`);
  const removals: Ext4Edit[] = [...remove.map(({ path }): Ext4Edit => ({ kind: "remove", path })), ...removeFolders.map(({ path }): Ext4Edit => ({ kind: "remove-folder", path }))];
  const additions: Ext4Edit[] = newFolders.map(([path, entry]) => ({ kind: "folder", path, ...attributesOf(entry, 0o755) }));
  for (const { path, sha256 } of newFiles) {
    if (!["directory", undefined].includes(shelf.nodes.get(path)?.kind)) additions.push({ kind: "remove", path });
    additions.push({ kind: "file", path, from: join(folder, sha256), ...attributesOf(media.files.data.get(path), 0o644) });
  }
  const laid = new Set(newFiles.map(({ path }) => path));
  for (const [of, entries] of [["file", media.files.data], ["folder", media.folders]] as const) {
    for (const [path, entry] of entries) {
      const node = shelf.nodes.get(path);
      const attributes = attributesOf(entry, of === "file" ? 0o644 : 0o755);
      const same = node === undefined || (["mode", "uid", "gid", ...(of === "file" ? ["mtime" as const] : [])] as const).every((one) => node[one] === attributes[one]);
      if (!same && !laid.has(path) && node.kind === (of === "file" ? "file" : "directory")) additions.push({ kind: "attributes", of, path, ...attributes });
    }
  }
  const edits = needed <= shelf.freeBytes && inodes + reservedInodes <= shelf.freeInodes && !inTheWay ? [...additions, ...removals] : [...removals, ...additions];
  // oxlint-disable-next-line no-control-regex -- those are what debugfs cannot be told; found here, the disk is still as it was
  const untold = edits.find(({ path }) => /[\u0000-\u001f\u007f]/.test(path));
  if (untold !== undefined) throw new StagingError("PRESTAGE_STAGING_NOT_REFRESHABLE", `Expected names without control characters; found ${JSON.stringify(untold.path)}. Stage the disk anew.`);
  return { edits, esp: changed.some((one) => one.volume === "esp"), removed: remove.map(({ path }) => path) };
}

function blocks(size: number): number {
  return Math.ceil(size / 4096) * 4096;
}

/** As staging lays it: the media's own UNIX data; what has none is for root's folder /prestage to protect. */
function attributesOf(entry: MediaEntry | undefined, mode: number): { mode: number; uid: number; gid: number; mtime?: number } {
  const unix = entry?.unix;
  // 100 ns since 1601.
  const mtime = entry === undefined ? undefined : Number(entry.written / 10_000_000n - 11_644_473_600n);
  return { mode: unix === undefined ? mode : unix.mode & 0o7777, uid: unix?.uid ?? 0, gid: unix?.gid ?? 0, ...(mtime !== undefined && mtime >= 0 && { mtime }) };
}
