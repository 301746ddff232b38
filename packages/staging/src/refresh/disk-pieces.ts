import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { checkChunkLists, chunkListsOf, openIndex, piecesOf, type FilePiece } from "@prestage/content";
import { Ext4Reader, type Extent } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import type { ShelfDisk } from "./shelf-disk.ts";

/** Larger indexes and chunk lists are refused. */
const mostIndexBytes = 512 << 20;
/** A chunk of zeros may be on a disk ten thousand times. */
const mostPlaces = 4;

/**
 * What a staged disk holds, by content: its files by SHA-256, their chunks by hash. Taken from the indexes that lie on it, which
 * only promise: whatever is read is hashed.
 */
export class DiskPieces {
  readonly #shelf: ShelfDisk;
  readonly #reader: Ext4Reader;
  readonly #device: FileHandle;
  readonly #chunks = new Map<string, { path: string; offset: number }[]>();
  readonly #files = new Map<string, string>();
  readonly #places = new Map<string, Promise<Extent[]>>();

  static async open(shelf: ShelfDisk): Promise<DiskPieces> {
    const reader = await Ext4Reader.open(shelf.disk.path, shelf.volume);
    const pieces = new DiskPieces(shelf, reader, await open(shelf.disk.path, "r"));
    for (const path of shelf.nodes.keys()) {
      const [, contentId] = /^prestage\/content\/([0-9a-f]{64})\/index\.json$/.exec(path) ?? [];
      if (contentId !== undefined) await pieces.#addVersion(contentId).catch(() => undefined); // damaged, or half there: it promises nothing
    }
    return pieces;
  }

  private constructor(shelf: ShelfDisk, reader: Ext4Reader, device: FileHandle) {
    this.#shelf = shelf;
    this.#reader = reader;
    this.#device = device;
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#device.close();
  }

  async #addVersion(contentId: string): Promise<void> {
    const folder = `${dataPaths.content}/${contentId}`;
    const index = openIndex(await this.readSmall(`${folder}/index.json`), contentId);
    const chunks = await this.readSmall(`${folder}/chunks.bin`);
    checkChunkLists(index, chunks);
    const lists = chunkListsOf(index, chunks);
    for (const file of index.files) {
      const path = `${folder}/files/${file.path}`;
      if (this.#shelf.nodes.get(path)?.size !== file.size) continue;
      this.#files.set(file.sha256, path);
      for (const { offset, digest } of piecesOf(file, lists.get(file.path)) ?? []) {
        const key = keyOf(digest);
        const places = this.#chunks.get(key);
        if (places === undefined) this.#chunks.set(key, [{ path, offset }]);
        else if (places.length < mostPlaces) places.push({ path, offset });
      }
    }
  }

  /** @throws DiskError where there is none or it is too large */
  readSmall(path: string): Promise<Buffer> {
    return this.#reader.readFile(path, mostIndexBytes);
  }

  /** Where a file with this SHA-256 lies, as an index promises. */
  pathOf(sha256: string): string | undefined {
    return this.#files.get(sha256);
  }

  /** A file's bytes as they are, in pieces. */
  async *read(path: string): AsyncGenerator<Buffer> {
    const node = this.#shelf.nodes.get(path);
    if (node?.kind === "file") yield* this.#reader.read(node.inode);
  }

  async sha256Of(path: string, onBytes: (count: number) => void, signal: AbortSignal | undefined): Promise<string> {
    const hash = createHash("sha256");
    for await (const part of this.read(path)) {
      signal?.throwIfAborted();
      hash.update(part);
      onBytes(part.length);
    }
    return hash.digest("hex");
  }

  /** The piece's bytes, wherever on the disk they lie; undefined where they do not. */
  async piece({ length, digest }: FilePiece): Promise<Buffer | undefined> {
    for (const { path, offset } of this.#chunks.get(keyOf(digest)) ?? []) {
      const bytes = await this.#readAt(path, offset, length).catch(() => undefined); // a bad sector, a file with holes
      if (bytes !== undefined && createHash("sha256").update(bytes).digest().subarray(0, digest.length).equals(digest)) return bytes;
    }
    return undefined;
  }

  async #readAt(path: string, offset: number, length: number): Promise<Buffer> {
    let places = this.#places.get(path);
    if (places === undefined) this.#places.set(path, (places = this.#reader.locate(path)));
    const bytes = Buffer.alloc(length);
    let [at, done] = [0, 0];
    for (const place of await places) {
      const from = Math.max(0, offset + done - at);
      const take = Math.min(place.size - from, length - done);
      if (take > 0) {
        const { bytesRead } = await this.#device.read(bytes, done, take, place.start + from);
        if (bytesRead !== take) throw new Error("the disk ends before the file does");
        done += take;
      }
      at += place.size;
    }
    return bytes;
  }
}

function keyOf(digest: Buffer): string {
  return digest.toString("base64", 0, 16);
}
