import type { AnyCompression } from "./compression.ts";
import type { RandomAccessSource } from "./source.ts";

/** A file that holds resources, and the way it stores them. */
export interface Volume {
  readonly source: RandomAccessSource;
  readonly compression: AnyCompression;
  /** Bytes of one chunk when decoded. */
  readonly chunkSize: number;
  /** Each chunk follows its size, and the chunk table follows the chunks. */
  readonly pipable: boolean;
}

/** Where a resource lies when that is not simply the file of its WIM. */
export interface ResourcePlace {
  readonly volume: Volume;
  /** Of blobs in a solid run: `offset` counts from the start of what the run decodes to. */
  readonly solid?: SolidRun;
}

/** One solid resource: many blobs compressed as one byte string. */
export interface SolidResource {
  readonly volume: Volume;
  readonly compression: AnyCompression;
  readonly offset: number;
  readonly storedSize: number;
  /** Bytes when decoded. */
  readonly size: number;
  readonly chunkSize: number;
}

/** Neighbouring solid entries of a blob table: their blobs lie in what the resources decode to, one behind the other. */
export interface SolidRun {
  readonly resources: readonly SolidResource[];
  /** Bytes when decoded. */
  readonly size: number;
}
