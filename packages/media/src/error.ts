/** Every error this package can throw, by its stable code. */
export const mediaErrors = {
  PRESTAGE_MEDIA_MANIFEST_MALFORMED: "The manifest is not of the expected form.",
  PRESTAGE_MEDIA_FORMAT_UNSUPPORTED: "The manifest's format, or the least agent version it names, is newer than this program.",
  PRESTAGE_MEDIA_NOT_MEDIA: "The file is a WIM, but not a Prestage media.",
  PRESTAGE_MEDIA_FILE_DAMAGED: "A file on the media does not have the size or SHA-256 the manifest or an index names.",
  PRESTAGE_MEDIA_FILE_MISSING: "A file the manifest or an index names is not on the media.",
  PRESTAGE_MEDIA_FILE_UNEXPECTED: "A file on the media is named by neither the manifest nor an index.",
  PRESTAGE_MEDIA_NOT_YET_VALID: "The media's validity has not begun.",
  PRESTAGE_MEDIA_EXPIRED: "The media's validity has ended.",
  PRESTAGE_MEDIA_KEYRING_MISMATCH: "The manifest names another keyring than the one that came with it.",
  PRESTAGE_MEDIA_OUTPUT_EXISTS: "The output file is there already.",
  PRESTAGE_MEDIA_OUTPUT_FOLDER: "The folder the output file is to be written into is not there.",
} as const;

export type MediaErrorCode = keyof typeof mediaErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class MediaError extends Error {
  readonly code: MediaErrorCode;
  constructor(code: MediaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MediaError";
    this.code = code;
  }
}
