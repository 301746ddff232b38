/** Every way this package refuses; each line says when it happens. */
export const wimErrors = {
  PRESTAGE_WIM_IO: "a file could not be opened, read or written",
  PRESTAGE_WIM_TRUNCATED: "the file ends before the bytes its header or tables point at",
  PRESTAGE_WIM_NOT_A_WIM: "the file does not begin with a WIM header",
  PRESTAGE_WIM_PIPABLE: "the file is a pipable WIM where one with addressable data is needed: it has to be exported first",
  PRESTAGE_WIM_SPLIT: "the file is one part of a split set, or the parts given are not one complete set",
  PRESTAGE_WIM_SOLID: "the file uses solid resources or LZMS compression where addressable data are needed: it has to be exported to LZX first",
  PRESTAGE_WIM_ENCRYPTED: "the file is an encrypted ESD",
  PRESTAGE_WIM_UNFINISHED: "the file is marked as being written: its writer was cut off",
  PRESTAGE_WIM_HEADER: "a field of the WIM header is not valid",
  PRESTAGE_WIM_XML: "the XML description is not valid or does not match the header",
  PRESTAGE_WIM_BLOB_TABLE: "the blob table is not valid",
  PRESTAGE_WIM_RESOURCE: "a resource or its chunk table is not valid",
  PRESTAGE_WIM_DECOMPRESS: "a compressed chunk cannot be decoded",
  PRESTAGE_WIM_METADATA: "the metadata of an image (its directory tree) is not valid",
  PRESTAGE_WIM_NO_IMAGE: "the WIM has no image of this index",
  PRESTAGE_WIM_BLOB_MISSING: "an image names data that the WIM does not hold",
  PRESTAGE_WIM_BLOB_HASH: "stored data does not have the SHA-1 it is filed under",
  PRESTAGE_WIM_INTEGRITY_TABLE: "the integrity table is not valid",
  PRESTAGE_WIM_INTEGRITY_MISSING: "the WIM carries no integrity table",
  PRESTAGE_WIM_INTEGRITY: "a span of the file does not have the SHA-1 of the integrity table",
  PRESTAGE_WIM_LIMIT: "the file asks for more memory, entries or depth than allowed",
  PRESTAGE_WIM_HTTP: "a file on a web server could not be fetched, or the answer does not fit what was asked",
  PRESTAGE_WIM_HTTP_NO_RANGE: "the web server does not send ranges of a file",
  PRESTAGE_WIM_HTTP_CHANGED: "the file on the web server changed while it was read",
  PRESTAGE_WIM_NO_DATA: "a directory or a link was asked for file data",
  PRESTAGE_WIM_PLAN: "a build plan is not valid",
  PRESTAGE_WIM_SPLIT_SIZE: "a resource is larger than the parts a WIM is to be split into",
  PRESTAGE_WIM_NO_PATH: "the image has nothing at this path",
  PRESTAGE_WIM_EXTRACT: "the folder to extract to is taken, or was changed while something was laid down in it",
  PRESTAGE_WIM_PROGRAM: "wimlib-imagex, which compresses, is not installed or failed",
  PRESTAGE_WIM_PATH_TAKEN: "two sources of a build plan put something on the same path",
  PRESTAGE_WIM_UNSAFE_NAME: "a path or an entry to be written has a name no file system may be given",
  PRESTAGE_WIM_COMPRESSION_DIFFERS: "trees of differently compressed WIMs cannot be merged into one",
  PRESTAGE_WIM_SOURCE_CHANGED: "a source file does not have the size or SHA-1 the plan gives",
} as const;

export type WimErrorCode = keyof typeof wimErrors;

/** The only error this package throws, apart from the reason of an aborted signal. */
export class WimError extends Error {
  readonly code: WimErrorCode;
  constructor(code: WimErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WimError";
    this.code = code;
  }
}

/**
 * Runs a parser so that no bare RangeError or TypeError escapes: what a hostile file provokes in a read that was
 * not foreseen is reported as `code`.
 */
export function guarded<T>(code: WimErrorCode, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof WimError) throw error;
    throw new WimError(code, `${what} cannot be read: the file is damaged or not a WIM. Get it again from its source.`, { cause: error });
  }
}
