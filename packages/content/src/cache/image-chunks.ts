import type { ResourceHeader, WimFile } from "@prestage/wim";
import { parseChunkList } from "../description/chunking.ts";
import { matchesDigest } from "../description/file-pieces.ts";
import type { FilePiece } from "../description/file-pieces.ts";

/** Chunks come in runs: as much is decoded at once, and kept for the next. */
const windowSize = 512 * 1024;

/** Chunks of files inside an image, by the first 16 bytes of their SHA-256; each is hashed when it is read. */
export class ImageChunks {
  readonly #wim: WimFile;
  readonly #places = new Map<string, { resource: ResourceHeader; offset: number }>();
  #window: { resource: ResourceHeader; offset: number; bytes: Uint8Array } | undefined;

  constructor(wim: WimFile) {
    this.#wim = wim;
  }

  /** Adds what a file holds according to its chunk list, of the chunks that are looked for: an image may have millions of others. */
  add(resource: ResourceHeader, chunkList: Buffer, wanted: ReadonlySet<string>): void {
    for (const { offset, digest } of parseChunkList(chunkList)) {
      const key = digest.toString("base64");
      if (wanted.has(key) && !this.#places.has(key)) this.#places.set(key, { resource, offset });
    }
  }

  has(piece: FilePiece): boolean {
    return this.#places.has(piece.digest.toString("base64"));
  }

  /** The piece's bytes, or undefined where the image does not hold them after all. */
  async read(piece: FilePiece): Promise<Buffer | undefined> {
    const place = this.#places.get(piece.digest.toString("base64"));
    if (place === undefined || place.offset + piece.length > place.resource.size) return undefined;
    const bytes = await this.#range(place.resource, place.offset, piece.length).catch(() => undefined);
    return bytes !== undefined && matchesDigest(bytes, piece) ? bytes : undefined;
  }

  async #range(resource: ResourceHeader, offset: number, length: number): Promise<Buffer> {
    const held = this.#window;
    if (held === undefined || held.resource !== resource || offset < held.offset || offset + length > held.offset + held.bytes.length) {
      this.#window = { resource, offset, bytes: await this.#wim.readResourceRange(resource, offset, Math.min(Math.max(windowSize, length), resource.size - offset)) };
    }
    const { offset: start, bytes } = this.#window ?? { offset, bytes: new Uint8Array(0) };
    return Buffer.from(bytes.subarray(offset - start, offset - start + length));
  }
}
