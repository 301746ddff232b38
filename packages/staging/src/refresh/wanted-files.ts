import { checkChunkLists, chunkListsOf, openIndex, piecesOf, type FilePiece } from "@prestage/content";
import { contentFolder, contentIdsOf, dataPaths, type MediaVolume, type OpenMedia } from "@prestage/media";
import { createHash } from "node:crypto";
import type { ExpectedFile } from "../media-files.ts";
import type { DiskPieces } from "./disk-pieces.ts";

/** A file the refreshed disk holds. */
export interface WantedFile {
  volume: MediaVolume;
  path: string;
  size: number;
  sha256: string;
  /** The parts it can be put together from. */
  pieces?: FilePiece[] | undefined;
  /** Its bytes, where they had to be read already. */
  bytes?: Buffer;
}

/** Larger indexes and chunk lists are refused. */
const mostIndexBytes = 512 << 20;

/**
 * What a disk with this media holds, file by file, as the signed manifest and the indexes say. Indexes that lie on the disk are
 * taken from there; they are checked all the same.
 * @throws ContentError, MediaError, WimError
 */
export async function wantedFiles(media: OpenMedia, disk: DiskPieces, signal: AbortSignal | undefined): Promise<WantedFile[]> {
  const { manifest } = media.media;
  const wanted: WantedFile[] = manifest.files.map(({ volume, path, size, sha256 }) => ({ volume, path, size, sha256 }));
  for (const id of contentIdsOf(manifest)) {
    signal?.throwIfAborted();
    const folder = contentFolder(id);
    const [indexPath, chunksPath] = [`${folder}/index.json`, `${folder}/chunks.bin`];
    const indexBytes = await checked(disk, media, indexPath, (bytes) => openIndex(bytes, id));
    const index = openIndex(indexBytes, id);
    const chunks = await checked(disk, media, chunksPath, (bytes) => checkChunkLists(index, bytes));
    const lists = chunkListsOf(index, chunks);
    wanted.push(inHand(indexPath, indexBytes), inHand(chunksPath, chunks));
    for (const file of index.files) wanted.push({ volume: "data", path: `${folder}/files/${file.path}`, size: file.size, sha256: file.sha256, pieces: piecesOf(file, lists.get(file.path)) });
  }
  // Last, because it names everything else.
  const manifestBytes = await readWhole(media, dataPaths.manifest, 96 << 20);
  return [...wanted, inHand(dataPaths.manifest, manifestBytes)];
}

function inHand(path: string, bytes: Buffer): WantedFile {
  return { volume: "data", path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex"), bytes };
}

async function checked(disk: DiskPieces, media: OpenMedia, path: string, check: (bytes: Buffer) => unknown): Promise<Buffer> {
  try {
    const bytes = await disk.readSmall(path);
    check(bytes);
    return bytes;
  } catch {
    // Not on the disk, or not as it should be: the media has it.
  }
  const bytes = await readWhole(media, path, mostIndexBytes);
  check(bytes);
  return bytes;
}

async function readWhole(media: OpenMedia, path: string, limit: number): Promise<Buffer> {
  const size = media.size("data", path);
  if (size > limit) throw new RangeError(`/${path} on the media has ${size} bytes, more than ${limit}.`);
  return Buffer.from(await media.read("data", path, 0, size));
}

export function expectedOf(wanted: readonly WantedFile[], volume: MediaVolume): Map<string, ExpectedFile> {
  return new Map(wanted.filter((one) => one.volume === volume).map(({ path, size, sha256 }) => [path, { size, sha256 }]));
}
