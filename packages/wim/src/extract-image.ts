import { execFile } from "node:child_process";
import { link, lutimes, lchown, mkdir, open, readdir, rm, symlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { DirectoryHandles } from "./directory-handles.ts";
import { readEntryData, readLinkTarget } from "./entry-data.ts";
import type { WimEntry } from "./entry.ts";
import { linuxXattrs } from "./entry-items.ts";
import { WimError } from "./error.ts";
import { planExtract, specialType, type ExtractedEntry, type ExtractPlan, type LeftOut } from "./extract-plan.ts";
import { SmallBlobReader } from "./read-ahead.ts";
import { newFileFlags, writeSmallFile, type FileMetadata } from "./small-file.ts";
import { ioGuard } from "./source.ts";
import { writeSparse } from "./sparse-write.ts";
import { setXattrs, type WantedXattr } from "./set-xattrs.ts";
import type { AnyWim } from "./wim-file.ts";

export interface ExtractOptions {
  /** Paths such as `a/b`; by default everything. */
  readonly paths?: readonly string[];
  /** Owner, mode, devices and extended attributes where the WIM has them; by default for root. */
  readonly unixData?: boolean;
  readonly signal?: AbortSignal;
  /** Bytes of files. */
  readonly onProgress?: (event: { done: number; total: number }) => void;
}

export interface ExtractResult {
  readonly directories: number;
  /** Names of hard links counted each. */
  readonly files: number;
  readonly links: number;
  readonly bytes: number;
  /** What Linux has no place for. */
  readonly leftOut: readonly LeftOut[];
}

/**
 * Lays an image down in a folder that is empty or not there yet. Directories are made first and links last, each thing from
 * the descriptor of its directory: nothing lands outside the target. Data are checked by their SHA-1. A failure removes what
 * was made. Throws PRESTAGE_WIM_EXTRACT, PRESTAGE_WIM_UNSAFE_NAME, PRESTAGE_WIM_NO_PATH, and what reading throws.
 */
export async function extractImage(wim: AnyWim, index: number, target: string, options: ExtractOptions = {}): Promise<ExtractResult> {
  const unixData = options.unixData ?? process.getuid?.() === 0;
  const plan = planExtract(wim, await wim.readImage(index), options.paths, unixData);
  await refuseTaken(target);
  const made = await ioGuard(`Cannot make ${target}`, () => mkdir(target, { recursive: true }));
  const directories = await DirectoryHandles.at(target);
  try {
    return await new Extraction(wim, plan, directories, { ...options, unixData }).run();
  } catch (error) {
    await directories.close();
    for (const name of await readdir(target)) await rm(join(target, name), { recursive: true, force: true });
    if (made !== undefined) await rm(target, { recursive: true, force: true });
    throw error;
  } finally {
    await directories.close().catch(() => {});
  }
}

async function refuseTaken(target: string): Promise<void> {
  const present = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new WimError("PRESTAGE_WIM_EXTRACT", `${target} cannot be extracted to: ${error.message}. Name an empty folder.`, { cause: error });
  });
  if (present.length > 0) throw new WimError("PRESTAGE_WIM_EXTRACT", `${target} is not empty. Name an empty folder, or one that is not there yet.`);
}

/** Up to this many bytes a file is held in memory and made at once. */
const smallFile = 65536;
const umask = process.umask();

class Extraction {
  private readonly wim: AnyWim;
  private readonly plan: ExtractPlan;
  private readonly directories: DirectoryHandles;
  private readonly options: ExtractOptions;
  private readonly small: SmallBlobReader;
  private readonly xattrs: WantedXattr[] = [];
  private done = 0;

  constructor(wim: AnyWim, plan: ExtractPlan, directories: DirectoryHandles, options: ExtractOptions) {
    this.wim = wim;
    this.small = new SmallBlobReader(wim);
    this.plan = plan;
    this.directories = directories;
    this.options = options;
  }

  async run(): Promise<ExtractResult> {
    const { plan } = this;
    for (const { names } of plan.directories) if (names.length > 0) await this.directories.make(names);
    for (const file of plan.files) await this.makeFile(file);
    for (const item of plan.hardLinks) await this.makeHardLink(item);
    for (const item of plan.specials) await this.makeSpecial(item);
    for (const item of plan.links) await this.makeLink(item);
    const refused = await setXattrs(await this.directories.directory([]), this.xattrs, this.options.signal);
    for (let i = plan.directories.length - 1; i >= 0; i--) await this.finishDirectory(plan.directories[i]!);
    const leftOut = [...plan.leftOut, ...refused.map((path): LeftOut => ({ path, reason: "extended-attribute" }))];
    return { directories: plan.directories.length, files: plan.files.length + plan.hardLinks.length + plan.specials.length, links: plan.links.length, bytes: plan.bytes, leftOut };
  }

  private async makeFile({ names, entry, resource }: ExtractPlan["files"][number]): Promise<void> {
    this.options.signal?.throwIfAborted();
    const what = names.join("/");
    const size = resource?.size ?? 0;
    if (size <= smallFile) {
      const bytes = resource === undefined || entry.sha1 === undefined ? new Uint8Array() : await this.small.read({ sha1: entry.sha1, resource });
      writeSmallFile(await this.directories.place(names), what, bytes, this.metadataOf(entry, 0o666));
      this.noteXattrs(names, entry);
      return this.count(size);
    }
    const data = readEntryData(this.wim, entry, this.options.signal === undefined ? {} : { signal: this.options.signal });
    const place = await this.directories.place(names);
    const file = await ioGuard(`Cannot make ${what}`, () => open(place, newFileFlags, 0o600));
    try {
      await writeSparse(file, what, data, (bytes) => this.count(bytes));
      await this.setMetadata(file, entry, names, 0o666);
    } finally {
      await file.close();
    }
  }

  private count(bytes: number): void {
    this.done += bytes;
    this.options.onProgress?.({ done: this.done, total: this.plan.bytes });
  }

  private async makeHardLink({ names, to }: ExtractPlan["hardLinks"][number]): Promise<void> {
    this.options.signal?.throwIfAborted();
    const from = await this.directories.own(to.slice(0, -1));
    try {
      const place = await this.directories.place(names);
      await ioGuard(`Cannot link ${names.join("/")}`, () => link(`/proc/self/fd/${from.fd}/${to.at(-1)!}`, place));
    } finally {
      await from.close();
    }
  }

  /** Node cannot make devices; mknod can, from this process's descriptor. */
  private async makeSpecial({ names, entry }: ExtractedEntry): Promise<void> {
    this.options.signal?.throwIfAborted();
    const rdev = entry.unix?.rdev ?? 0;
    // As wimlib stores it: the kernel's 32-bit form, minor in the low byte and above bit 20.
    const [major, minor] = [(rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
    const type = specialType(entry);
    const kind = type === "character" || type === "block" ? [type === "block" ? "b" : "c", String(major), String(minor)] : ["p"];
    const place = await this.directories.foreignPlace(names);
    await ioGuard(`Cannot make ${names.join("/")}`, () => promisify(execFile)("mknod", ["-m", "600", place, ...kind]));
    const own = await this.directories.place(names);
    await this.setOwner(own, entry);
    await ioGuard(`Cannot set the mode of ${names.join("/")}`, () => promisify(execFile)("chmod", [((entry.unix?.mode ?? 0o600) & 0o7777).toString(8), place]));
    await this.setTimes(own, entry);
  }

  private async makeLink({ names, entry }: ExtractedEntry): Promise<void> {
    this.options.signal?.throwIfAborted();
    const target = await readLinkTarget(this.wim, entry);
    if (target === undefined || target === "") throw new WimError("PRESTAGE_WIM_EXTRACT", `The link ${names.join("/")} points nowhere. Extract the other paths without it.`);
    const place = await this.directories.place(names);
    await ioGuard(`Cannot make the link ${names.join("/")}`, () => symlink(target, place));
    await this.setOwner(place, entry);
    this.noteXattrs(names, entry);
    await this.setTimes(place, entry);
  }

  private async finishDirectory({ names, entry }: ExtractedEntry): Promise<void> {
    await this.setMetadata(await this.directories.directory(names), entry, names, 0o777);
    const place = names.length === 0 ? `/proc/self/fd/${(await this.directories.directory([])).fd}/.` : await this.directories.place(names);
    await this.setTimes(place, entry);
  }

  /** What an entry asks for; without UNIX data `mode` as this process would give it. */
  private metadataOf(entry: WimEntry, mode: number): FileMetadata {
    const unix = this.options.unixData === true ? entry.unix : undefined;
    return { owner: unix, mode: unix === undefined ? mode & ~umask : unix.mode & 0o7777, accessed: seconds(entry.accessed), written: seconds(entry.written) };
  }

  /** Owner before mode, as changing the owner drops set-user-ID; times last. */
  private async setMetadata(handle: FileHandle, entry: WimEntry, names: readonly string[], mode: number): Promise<void> {
    const wanted = this.metadataOf(entry, mode);
    await ioGuard(`Cannot set the metadata of ${names.join("/")}`, async () => {
      if (wanted.owner !== undefined) await handle.chown(wanted.owner.uid, wanted.owner.gid);
      await handle.chmod(wanted.mode);
      if (!entry.isDirectory) await handle.utimes(wanted.accessed, wanted.written);
    });
    this.noteXattrs(names, entry);
  }

  private noteXattrs(names: readonly string[], entry: WimEntry): void {
    if (this.options.unixData !== true || names.length === 0) return;
    for (const { name, value } of linuxXattrs(entry)) this.xattrs.push({ path: names.join("/"), name, value });
  }

  private async setOwner(place: string, { unix }: WimEntry): Promise<void> {
    if (this.options.unixData !== true || unix === undefined) return;
    await ioGuard(`Cannot set the owner of ${place}`, () => lchown(place, unix.uid, unix.gid));
  }

  private async setTimes(place: string, entry: WimEntry): Promise<void> {
    await ioGuard(`Cannot set the times of ${place}`, () => lutimes(place, seconds(entry.accessed), seconds(entry.written)));
  }
}

/** From 100 ns since 1601 to seconds since 1970; what Linux could not hold is the nearest it can. */
function seconds(time: bigint): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 34, Number(time - 116_444_736_000_000_000n) / 1e7));
}
