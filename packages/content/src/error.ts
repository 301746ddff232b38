/** Every error this package can throw, by its stable code. */
export const contentErrors = {
  PRESTAGE_CONTENT_INDEX_MALFORMED: "A content index is not of the expected form, or its hash is not the content's id.",
  PRESTAGE_CONTENT_STORAGE_MALFORMED: "A storage map is not of the expected form, or its hash is not the one the policy names.",
  PRESTAGE_CONTENT_PATH_UNSAFE: "A path is absolute, has `..` or empty parts, control characters, or a name Windows or Linux cannot hold.",
  PRESTAGE_CONTENT_SOURCE_UNSUPPORTED: "A folder to import holds a symbolic link, device, socket, or a name that is not valid Unicode.",
  PRESTAGE_CONTENT_SOURCE_EMPTY: "A folder to import holds no file.",
  PRESTAGE_CONTENT_SOURCE_CHANGED: "A file changed while it was being imported.",
  PRESTAGE_CONTENT_IMAGE_UNSUPPORTED: "An image file is not a WIM this system can use, or has no image of the index asked for.",
  PRESTAGE_CONTENT_IMAGE_DAMAGED: "Data in an image to import does not have the SHA-1 the WIM files it under.",
  PRESTAGE_CONTENT_DAMAGED: "A stored file does not have the size or hash its index names.",
  PRESTAGE_CONTENT_NOT_FOUND: "The content library holds no version of this id.",
  PRESTAGE_CONTENT_WIMLIB: "wimlib-imagex is missing or failed.",
  PRESTAGE_CONTENT_ZSTD: "The program zstd, which makes patches, is missing or failed.",
  PRESTAGE_CONTENT_PATCH_MALFORMED: "A list of patches, or the header of a pack of pieces, is not of the expected form, or its hash is not the one the policy names.",
  PRESTAGE_CONTENT_PATCH_SPACE: "The patches from one version to another, or the pieces of a version, would take more space than is set aside for patches.",
  PRESTAGE_CONTENT_CHUNK_FILE: "A .chunks file is not of the expected form.",
  PRESTAGE_CONTENT_EXPORT_EXISTS: "There is a file already where an export of content was to be written.",
  PRESTAGE_CONTENT_EXPORT_MALFORMED: "A file to import is no export of content, or holds what an export does not.",
  PRESTAGE_CONTENT_EXPORT_ALTERED: "A byte of an export of content is not what was signed.",
  PRESTAGE_CONTENT_FETCH_FAILED: "No distribution point delivered a file whole and correct.",
} as const;

export type ContentErrorCode = keyof typeof contentErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class ContentError extends Error {
  readonly code: ContentErrorCode;
  constructor(code: ContentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ContentError";
    this.code = code;
  }
}
