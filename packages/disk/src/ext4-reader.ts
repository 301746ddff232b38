import { open, type FileHandle } from "node:fs/promises";
import { DiskError } from "./error.ts";
import type { Extent } from "./partition-plan.ts";

/** A file, folder or link as the file system has it. */
export interface Ext4Node {
  /** `a/b`, without leading slash. */
  path: string;
  inode: number;
  kind: "file" | "directory" | "symlink" | "other";
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds since 1970. */
  mtime: number;
}

interface Run {
  logical: number;
  length: number;
  /** Undefined: allocated and not written, reads as zeros. */
  physical: number | undefined;
}

interface Inode extends Omit<Ext4Node, "path"> {
  flags: number;
  block: Buffer;
}

// Linux: Documentation/filesystems/ext4 - incompatible features this reader knows: filetype, recover, extents, 64bit, flex_bg.
const knownFeatures = 0x2 | 0x4 | 0x40 | 0x80 | 0x200;
const rootInode = 2;
const deepest = 128;
const mostNodes = 5_000_000;

/**
 * Reads an ext4 file system straight from its place on a disk, without mounting: what staging reads back is what the
 * disk has, not what a kernel remembers.
 */
export class Ext4Reader {
  readonly #file: FileHandle;
  readonly #extent: Extent;
  readonly #blockSize: number;
  readonly #inodeSize: number;
  readonly #inodesPerGroup: number;
  readonly #descriptorSize: number;
  readonly #firstDataBlock: number;
  readonly #inodes: number;
  /** Lower-case UUID. */
  readonly uuid: string;
  /** Whether its journal holds changes that are not yet in their places. */
  readonly needsRecovery: boolean;
  /** Bytes no file has; those kept for root among them. */
  readonly freeBytes: number;
  /** Files and folders that can still be made, however small. */
  readonly freeInodes: number;

  static async open(disk: string, extent: Extent): Promise<Ext4Reader> {
    const file = await open(disk, "r");
    try {
      const superblock = Buffer.alloc(1024);
      await file.read(superblock, 0, 1024, extent.start + 1024);
      return new Ext4Reader(file, extent, superblock);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(file: FileHandle, extent: Extent, superblock: Buffer) {
    if (superblock.readUInt16LE(0x38) !== 0xef53) throw bad("there is no ext4 superblock");
    const unknown = superblock.readUInt32LE(0x60) & ~knownFeatures;
    if (unknown !== 0) throw bad(`it has features this reader does not know (0x${unknown.toString(16)})`);
    const log = superblock.readUInt32LE(0x18);
    if (log > 6) throw bad(`its block size is out of range`);
    this.#file = file;
    this.#extent = extent;
    this.#blockSize = 1024 << log;
    this.#inodeSize = superblock.readUInt16LE(0x58);
    this.#inodesPerGroup = superblock.readUInt32LE(0x28);
    this.#inodes = superblock.readUInt32LE(0x0);
    this.#firstDataBlock = superblock.readUInt32LE(0x14);
    this.#descriptorSize = (superblock.readUInt32LE(0x60) & 0x80) !== 0 ? superblock.readUInt16LE(0xfe) : 32;
    if (this.#inodeSize < 128 || this.#inodeSize > this.#blockSize || this.#inodesPerGroup === 0 || this.#descriptorSize < 32) throw bad("its superblock is damaged");
    const freeHigh = (superblock.readUInt32LE(0x60) & 0x80) === 0 ? 0 : superblock.readUInt32LE(0x158);
    this.freeBytes = (superblock.readUInt32LE(0xc) + freeHigh * 2 ** 32) * this.#blockSize;
    this.freeInodes = superblock.readUInt32LE(0x10);
    this.needsRecovery = (superblock.readUInt32LE(0x60) & 0x4) !== 0;
    const hex = superblock.toString("hex", 0x68, 0x78);
    this.uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Everything below the root, each folder before what it holds. */
  async *walk(): AsyncGenerator<Ext4Node> {
    let count = 0;
    const pending: { path: string; inode: number; depth: number }[] = [{ path: "", inode: rootInode, depth: 0 }];
    const seen = new Set<number>();
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      if (folder.depth > deepest || seen.has(folder.inode)) throw bad("its folders are nested too deep or in a circle");
      seen.add(folder.inode);
      for (const entry of await this.#entries(folder.inode)) {
        if (++count > mostNodes) throw bad("it has too many files");
        const path = folder.path === "" ? entry.name : `${folder.path}/${entry.name}`;
        const { flags: _flags, block: _block, ...node } = await this.#inode(entry.inode);
        yield { path, ...node };
        if (node.kind === "directory") pending.push({ path, inode: entry.inode, depth: folder.depth + 1 });
      }
    }
  }

  /** A file's content, in pieces of at most 1 MiB. */
  async *read(inode: number): AsyncGenerator<Buffer> {
    const node = await this.#inode(inode);
    if (node.kind !== "file") throw bad(`inode ${inode} is no file`);
    const piece = 1 << 20;
    let at = 0;
    const zeros = function* (until: number): Generator<Buffer> {
      while (at < until) {
        const length = Math.min(piece, until - at);
        at += length;
        yield Buffer.alloc(length);
      }
    };
    for (const run of await this.#runs(node)) {
      yield* zeros(Math.min(run.logical * this.#blockSize, node.size));
      const end = Math.min((run.logical + run.length) * this.#blockSize, node.size);
      if (run.physical === undefined) yield* zeros(end);
      else {
        const base = run.physical * this.#blockSize - run.logical * this.#blockSize;
        while (at < end) {
          const length = Math.min(piece, end - at);
          const data = await this.#bytes(base + at, length);
          at += length;
          yield data;
        }
      }
    }
    yield* zeros(node.size);
  }

  /** Whether there is a file, folder or link at a path. */
  async has(path: string): Promise<boolean> {
    return (await this.#find(path)) !== undefined;
  }

  /** Where a file's bytes lie on the disk, in their order; its size in all. A file with holes has no such places. */
  async locate(path: string): Promise<Extent[]> {
    const node = await this.#inode(await this.#findFile(path));
    const places: Extent[] = [];
    let at = 0;
    for (const run of await this.#runs(node)) {
      if (run.physical === undefined || run.logical * this.#blockSize !== at) throw bad(`/${path} has holes`);
      const size = Math.min(run.length * this.#blockSize, node.size - at);
      places.push({ start: this.#extent.start + run.physical * this.#blockSize, size });
      at += size;
    }
    if (at !== node.size) throw bad(`/${path} has holes`);
    return places;
  }

  /** Reads a small file by its path. */
  async readFile(path: string, limit = 16 << 20): Promise<Buffer> {
    const inode = await this.#findFile(path);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of this.read(inode)) {
      parts.push(part);
      if ((size += part.length) > limit) throw bad(`/${path} has more than ${limit} bytes`);
    }
    return Buffer.concat(parts);
  }

  async #find(path: string): Promise<number | undefined> {
    let inode = rootInode;
    for (const part of path.split("/")) {
      const entry = (await this.#entries(inode)).find((one) => one.name === part);
      if (entry === undefined) return undefined;
      inode = entry.inode;
    }
    return inode;
  }

  async #findFile(path: string): Promise<number> {
    const inode = await this.#find(path);
    if (inode === undefined) throw new DiskError("PRESTAGE_DISK_FILE_MISSING", `Expected /${path} on the data volume, found none.`);
    return inode;
  }

  async #bytes(offset: number, length: number): Promise<Buffer> {
    if (offset < 0 || offset + length > this.#extent.size) throw bad("a file lies outside of it");
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(buffer, 0, length, this.#extent.start + offset);
    if (bytesRead !== length) throw bad("the disk ends before it does");
    return buffer;
  }

  async #inode(number: number): Promise<Inode> {
    if (number < 1 || number > this.#inodes) throw bad(`inode ${number} does not exist`);
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const descriptor = await this.#bytes((this.#firstDataBlock + 1) * this.#blockSize + group * this.#descriptorSize, this.#descriptorSize);
    const table = descriptor.readUInt32LE(0x8) + (this.#descriptorSize >= 64 ? descriptor.readUInt32LE(0x28) * 2 ** 32 : 0);
    const raw = await this.#bytes(table * this.#blockSize + ((number - 1) % this.#inodesPerGroup) * this.#inodeSize, 128);
    const mode = raw.readUInt16LE(0);
    const kind = ({ 0x8: "file", 0x4: "directory", 0xa: "symlink" } as const)[mode >> 12] ?? "other";
    return {
      inode: number, kind, mode: mode & 0o7777, uid: raw.readUInt16LE(2) + raw.readUInt16LE(0x78) * 65536, gid: raw.readUInt16LE(0x18) + raw.readUInt16LE(0x7a) * 65536,
      size: raw.readUInt32LE(4) + raw.readUInt32LE(0x6c) * 2 ** 32, mtime: raw.readUInt32LE(0x10), flags: raw.readUInt32LE(0x20), block: raw.subarray(0x28, 0x28 + 60),
    };
  }

  /** The extents of a file in order of their place in it. */
  async #runs(node: Inode): Promise<Run[]> {
    if ((node.flags & 0x80000) === 0) {
      if (node.size === 0) return [];
      throw bad(`inode ${node.inode} has no extents`);
    }
    const runs: Run[] = [];
    await this.#collect(node.block, 5, runs);
    return runs.sort((a, b) => a.logical - b.logical);
  }

  async #collect(block: Buffer, deepestLevel: number, runs: Run[]): Promise<void> {
    const entries = block.readUInt16LE(2);
    const depth = block.readUInt16LE(6);
    if (block.readUInt16LE(0) !== 0xf30a || depth > deepestLevel || 12 + entries * 12 > block.length) throw bad("an extent tree is damaged");
    for (let index = 0; index < entries; index++) {
      const at = 12 + index * 12;
      if (depth === 0) {
        const length = block.readUInt16LE(at + 4);
        const written = length <= 32768;
        const physical = block.readUInt32LE(at + 8) + block.readUInt16LE(at + 6) * 2 ** 32;
        runs.push({ logical: block.readUInt32LE(at), length: written ? length : length - 32768, physical: written ? physical : undefined });
      } else {
        const leaf = block.readUInt32LE(at + 4) + block.readUInt16LE(at + 8) * 2 ** 32;
        await this.#collect(await this.#bytes(leaf * this.#blockSize, this.#blockSize), depth - 1, runs);
      }
    }
  }

  async #entries(inode: number): Promise<{ name: string; inode: number }[]> {
    const node = await this.#inode(inode);
    if (node.kind !== "directory") throw bad(`inode ${inode} is no folder`);
    if (node.size > 256 << 20) throw bad("a folder is too large");
    const entries: { name: string; inode: number }[] = [];
    for (const run of await this.#runs(node)) {
      if (run.physical === undefined) continue;
      for (let index = 0; index < run.length; index++) {
        const block = await this.#bytes((run.physical + index) * this.#blockSize, this.#blockSize);
        for (let at = 0; at + 8 <= block.length; ) {
          const target = block.readUInt32LE(at);
          const length = block.readUInt16LE(at + 4);
          if (length < 8 || at + length > block.length) throw bad("a folder is damaged");
          const name = block.toString("utf8", at + 8, at + 8 + block.readUInt8(at + 6));
          if (target !== 0 && name !== "." && name !== "..") entries.push({ name, inode: target });
          at += length;
        }
      }
    }
    return entries;
  }
}

function bad(what: string): DiskError {
  return new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `The ext4 file system could not be read: ${what}. Stage the disk again; if that fails too, replace the disk.`);
}
