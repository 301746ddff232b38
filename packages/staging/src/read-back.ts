import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { copyFatTree, Ext4Reader, withLoopDevice, withNtfs, type DataFileSystem, type Extent } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import type { ReceiptFile } from "@prestage/trust";
import { StagingError } from "./error.ts";
import type { ExpectedFile, MediaFiles } from "./media-files.ts";

export interface ReadBackOptions {
  signal?: AbortSignal | undefined;
  onProgress: (bytes: number, name: string) => void;
  /** Files on the data volume that are not the media's and may be there. */
  mayBeThere?: (name: string) => boolean;
  /** What the data volume is; ext4 by default. */
  dataFileSystem?: DataFileSystem;
}

/** Where a volume lies: a place on a disk, or a partition from its start. */
export interface VolumePlace {
  device: string;
  extent: Extent;
}

/**
 * Reads every file back from the disk, below any mounted file system, and compares it with manifest and indexes: nothing
 * is missing, nothing is different, nothing is there that was not meant to be. Returns what was read back.
 */
export async function readBack(files: Pick<MediaFiles, "esp" | "data">, esp: VolumePlace, volume: VolumePlace, options: ReadBackOptions): Promise<ReceiptFile[]> {
  await readBackEsp(files.esp, esp, options);
  await (options.dataFileSystem === "ntfs" ? readBackNtfs(files.data, volume, options) : readBackVolume(files.data, volume, options));
  const listed = (prefix: string, map: Map<string, ExpectedFile>): ReceiptFile[] => [...map].map(([path, { size, sha256 }]) => ({ path: `${prefix}${path}`, size, sha256, verified: true }));
  return [...listed("ESP:/", files.esp), ...listed("/", files.data)];
}

async function readBackEsp(expected: Map<string, ExpectedFile>, place: VolumePlace, options: ReadBackOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-read-back-"));
  try {
    await copyFatTree(place.device, place.extent, folder, { signal: options.signal });
    const found = new Map<string, string>();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isDirectory()) found.set(relative(folder, path), path);
    }
    for (const [name, file] of expected) {
      const path = found.get(name);
      const size = path === undefined ? 0 : (await stat(path)).size;
      await compare(`ESP:/${name}`, file, path === undefined ? undefined : { size, content: createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer> }, options);
      found.delete(name);
    }
    refuseUnexpected("ESP", found.keys());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readBackVolume(expected: Map<string, ExpectedFile>, place: VolumePlace, options: ReadBackOptions): Promise<void> {
  const reader = await Ext4Reader.open(place.device, place.extent);
  try {
    const found = new Map<string, { inode: number; size: number }>();
    for await (const node of reader.walk()) {
      options.signal?.throwIfAborted();
      if (node.path === dataPaths.root && (node.mode !== 0o700 || node.uid !== 0 || node.gid !== 0)) throw failed(`/${dataPaths.root} on the data volume`, "owner root and mode 0700", `owner ${node.uid}:${node.gid} and mode 0${node.mode.toString(8)}`);
      if (node.kind !== "directory") found.set(node.path, node);
    }
    for (const [name, file] of expected) {
      const node = found.get(name);
      await compare(`/${name}`, file, node === undefined ? undefined : { size: node.size, content: reader.read(node.inode) }, options);
      found.delete(name);
    }
    refuseUnexpected("data volume", [...found.keys()].filter((name) => options.mayBeThere?.(name) !== true));
  } finally {
    await reader.close();
  }
}

/** The same of an NTFS, mounted for reading alone. Windows' own folders are not there yet. */
async function readBackNtfs(expected: Map<string, ExpectedFile>, place: VolumePlace, options: ReadBackOptions): Promise<void> {
  await withLoopDevice(place.device, place.extent, (device) => withNtfs(device, async (root) => {
    const found = new Set<string>();
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) if (!entry.isDirectory()) found.add(relative(root, join(entry.parentPath, entry.name)));
    for (const [name, file] of expected) {
      const path = join(root, name);
      await compare(`/${name}`, file, found.delete(name) ? { size: (await stat(path)).size, content: createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer> } : undefined, options);
    }
    refuseUnexpected("data volume", [...found].filter((name) => options.mayBeThere?.(name) !== true));
  }, { readOnly: true, signal: options.signal }), { readOnly: true, signal: options.signal });
}

async function compare(name: string, expected: ExpectedFile, found: { size: number; content: AsyncIterable<Buffer> } | undefined, options: ReadBackOptions): Promise<void> {
  if (found === undefined) throw failed(name, `${expected.size} bytes`, "no such file");
  if (found.size !== expected.size) throw failed(name, `${expected.size} bytes`, `${found.size}`);
  const hash = createHash("sha256");
  for await (const part of found.content) {
    options.signal?.throwIfAborted();
    hash.update(part);
    options.onProgress(part.length, name);
  }
  const sha256 = hash.digest("hex");
  if (sha256 !== expected.sha256) throw failed(name, `SHA-256 ${expected.sha256}`, sha256);
}

function refuseUnexpected(volume: string, names: Iterable<string>): void {
  for (const name of names) throw failed(`/${name} on the ${volume}`, "no such file", "one that neither manifest nor index names");
}

function failed(name: string, expected: string, found: string): StagingError {
  return new StagingError("PRESTAGE_STAGING_READ_BACK_FAILED", `Read back from the disk, ${name}: expected ${expected}, found ${found}. Verify the media with 'prestage media verify'; if it is good, the disk is not.`);
}
