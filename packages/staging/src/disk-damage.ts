import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chunkListsOf, openIndex, piecesOf, type FilePiece } from "@prestage/content";
import { copyFatTree, Ext4Reader } from "@prestage/disk";
import { contentFolder, contentIdsOf } from "@prestage/media";
import type { DiskFiles } from "./disk-files.ts";
import type { ExpectedFile } from "./media-files.ts";

/** A file of a staged disk that is not as manifest and indexes say. `ranges`: what of it is wrong, in bytes, as far as it can be told. */
export interface DiskDamage { volume: "esp" | "data"; path: string; expected: ExpectedFile; found: { size: number; sha256: string } | undefined; ranges: { offset: number; length: number }[] }

export interface DiskDamageOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (event: { phase: "verify"; done: number; total: number; name: string }) => void;
}

/** Reads a staged disk whole, below any mounted file system, and returns every file that is missing or different; changes nothing. */
export async function findDiskDamage(disk: DiskFiles, options: DiskDamageOptions = {}): Promise<DiskDamage[]> {
  let done = 0;
  const tell = (bytes: number, name: string): void => options.onProgress?.({ phase: "verify", done: (done += bytes), total: disk.bytes, name });
  return [...(await espDamage(disk, tell, options.signal)), ...(await dataDamage(disk, tell, options.signal))];
}

async function espDamage(disk: DiskFiles, tell: (bytes: number, name: string) => void, signal: AbortSignal | undefined): Promise<DiskDamage[]> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-verify-"));
  const damage: DiskDamage[] = [];
  try {
    await copyFatTree(disk.disk.path, disk.espPartition, folder, { signal });
    for (const [path, expected] of disk.esp) {
      const bytes = await readFile(join(folder, path)).catch(() => undefined); // missing, or unreadable
      tell(expected.size, `ESP:/${path}`);
      const found = bytes && { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
      if (found?.sha256 !== expected.sha256) damage.push({ volume: "esp", path, expected, found, ranges: [] });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return damage;
}

async function dataDamage(disk: DiskFiles, tell: (bytes: number, name: string) => void, signal: AbortSignal | undefined): Promise<DiskDamage[]> {
  const reader = await Ext4Reader.open(disk.disk.path, disk.volumePartition);
  const damage: DiskDamage[] = [];
  try {
    const nodes = new Map<string, { inode: number; size: number }>();
    for await (const node of reader.walk()) if (node.kind === "file") nodes.set(node.path, node);
    const pieces = await piecesByPath(disk, reader);
    for (const [path, expected] of disk.data) {
      const node = nodes.get(path);
      if (node === undefined) {
        damage.push({ volume: "data", path, expected, found: undefined, ranges: [{ offset: 0, length: expected.size }] });
        continue;
      }
      const hash = createHash("sha256");
      for await (const part of reader.read(node.inode)) {
        signal?.throwIfAborted();
        hash.update(part);
        tell(part.length, `/${path}`);
      }
      const sha256 = hash.digest("hex");
      if (sha256 !== expected.sha256) damage.push({ volume: "data", path, expected, found: { size: node.size, sha256 }, ranges: await wrongRanges(reader.read(node.inode), pieces.get(path)) });
    }
  } finally {
    await reader.close();
  }
  return damage;
}

/** The chunks or spans of every content file, from the indexes on the disk, which were checked when they were read. */
async function piecesByPath(disk: DiskFiles, reader: Ext4Reader): Promise<Map<string, FilePiece[]>> {
  const pieces = new Map<string, FilePiece[]>();
  for (const id of contentIdsOf(disk.manifest)) {
    const folder = contentFolder(id);
    const index = openIndex(await reader.readFile(`${folder}/index.json`, 512 << 20), id);
    const lists = chunkListsOf(index, await reader.readFile(`${folder}/chunks.bin`, 512 << 20));
    for (const file of index.files) {
      const of = piecesOf(file, lists.get(file.path));
      if (of !== undefined) pieces.set(`${folder}/files/${file.path}`, of);
    }
  }
  return pieces;
}

/** Which pieces of a stream are not right. Without pieces: unknown. */
async function wrongRanges(content: AsyncIterable<Buffer>, pieces: readonly FilePiece[] | undefined): Promise<{ offset: number; length: number }[]> {
  if (pieces === undefined) return [];
  const wrong: { offset: number; length: number }[] = [];
  let [next, hash, left] = [0, createHash("sha256"), pieces[0]?.length ?? 0];
  for await (const part of content) {
    for (let at = 0; at < part.length && next < pieces.length; ) {
      const take = Math.min(left, part.length - at);
      hash.update(part.subarray(at, at + take));
      at += take;
      left -= take;
      const piece = pieces[next];
      if (left > 0 || piece === undefined) continue;
      if (!hash.digest().subarray(0, piece.digest.length).equals(piece.digest)) wrong.push({ offset: piece.offset, length: piece.length });
      [next, hash, left] = [next + 1, createHash("sha256"), pieces[next + 1]?.length ?? 0];
    }
  }
  return [...wrong, ...pieces.slice(next).map(({ offset, length }) => ({ offset, length }))];
}

/** One line that names the bad part. */
export function describeDiskDamage(damage: DiskDamage): string {
  const { expected, found, ranges } = damage;
  if (found === undefined) return "the file is missing";
  if (found.size !== expected.size) return `expected ${expected.size} bytes, found ${found.size}`;
  const where = ranges.slice(0, 3).map((range) => `${range.length} bytes at ${range.offset}`).join(", ");
  return `expected SHA-256 ${expected.sha256.slice(0, 16)}, found ${found.sha256.slice(0, 16)}${where === "" ? "" : `; wrong: ${where}${ranges.length > 3 ? ` and ${ranges.length - 3} more` : ""}`}`;
}
