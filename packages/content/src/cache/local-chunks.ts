import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { parseChunkList } from "../description/chunking.ts";
import { readPiece } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";
import type { ImageChunks } from "./image-chunks.ts";

/** A chunk of zeros may be in a file ten thousand times. */
const mostPlaces = 4;
/** A version may have a hundred thousand files; a process may not have so many open. */
const mostOpen = 64;

/** Chunks of files on this disk, by the first 16 bytes of their SHA-256: what the lists promise; each is hashed when it is read. */
export class LocalChunks {
  readonly #places = new Map<string, { path: string; offset: number }[]>();
  readonly #handles = new Map<string, FileHandle | undefined>();
  readonly #images: { chunks: ImageChunks; close: () => Promise<void> }[] = [];

  /** Adds what a file holds according to its chunk list; of `only` alone, where a disk may hold millions. */
  add(path: string, chunkList: Buffer, only?: ReadonlySet<string>): void {
    for (const { offset, digest } of parseChunkList(chunkList)) {
      const key = digest.toString("base64");
      if (only?.has(key) === false) continue;
      const places = this.#places.get(key);
      if (places === undefined) this.#places.set(key, [{ path, offset }]);
      else if (places.length < mostPlaces) places.push({ path, offset });
    }
  }

  /** Adds what files inside an image hold. It is closed with this. */
  addImage(chunks: ImageChunks, close: () => Promise<void>): void {
    this.#images.push({ chunks, close });
  }

  has(piece: FilePiece): boolean {
    return this.#places.has(piece.digest.toString("base64")) || this.#images.some(({ chunks }) => chunks.has(piece));
  }

  /** The piece's bytes, or undefined where no file holds them after all. */
  async read(piece: FilePiece): Promise<Buffer | undefined> {
    for (const { path, offset } of this.#places.get(piece.digest.toString("base64")) ?? []) {
      const handle = await this.#open(path);
      const bytes = handle && (await readPiece(handle, piece, offset));
      if (bytes !== undefined) return bytes;
    }
    for (const { chunks } of this.#images) {
      const bytes = await chunks.read(piece);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  async #open(path: string): Promise<FileHandle | undefined> {
    if (this.#handles.has(path)) return this.#handles.get(path);
    const [oldest] = this.#handles.keys();
    if (oldest !== undefined && this.#handles.size >= mostOpen) {
      await this.#handles.get(oldest)?.close();
      this.#handles.delete(oldest);
    }
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
    this.#handles.set(path, handle);
    return handle;
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.values()) await handle?.close();
    this.#handles.clear();
    for (const { close } of this.#images.splice(0)) await close();
  }
}
