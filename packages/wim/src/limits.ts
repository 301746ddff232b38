import { WimError } from "./error.ts";

/** What a WIM may cost its reader. Sizes in bytes. */
export interface WimLimits {
  /** Decoded metadata of one image. */
  readonly metadataBytes: number;
  /** Decoded metadata of one image, as a multiple of the file's size. */
  readonly metadataRatio: number;
  readonly blobTableBytes: number;
  readonly xmlBytes: number;
  /** Chunks of one resource. */
  readonly chunks: number;
  /** One chunk when decoded: it is held in memory whole. */
  readonly chunkBytes: number;
  /** Entries of one image. */
  readonly entries: number;
  /** Directory levels below the root. */
  readonly depth: number;
  /** Characters of all paths of one image together. */
  readonly pathCharacters: number;
}

export const defaultWimLimits: WimLimits = {
  metadataBytes: 2 ** 30,
  metadataRatio: 512,
  blobTableBytes: 2 ** 29,
  xmlBytes: 2 ** 26,
  chunks: 2 ** 24,
  chunkBytes: 2 ** 27,
  entries: 5_000_000,
  depth: 16384,
  pathCharacters: 450_000_000,
};

/** Refuses `found` above `limit`. */
export function checkLimit(what: string, found: number, limit: number): void {
  if (found > limit) {
    throw new WimError("PRESTAGE_WIM_LIMIT", `${what}: ${found} found, at most ${limit} allowed. The file is damaged or hostile; raise the limit only if you know it.`);
  }
}
