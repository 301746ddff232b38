import type { ContentErrorCode } from "@prestage/content";
import type { DiskErrorCode } from "@prestage/disk";
import type { MediaErrorCode } from "@prestage/media";
import type { SequenceErrorCode } from "@prestage/sequence";
import type { TrustErrorCode } from "@prestage/trust";
import type { AgentErrorCode } from "../../error.ts";

/** An error in the words of a language: what it is, and what to do. What was found in this case stands below, as it was logged. */
export interface ErrorText { cause: string; next: string }

/** Errors of what is done at a site or a depot alone; no computer meets them. */
export const neverAtAComputer = [
  "PRESTAGE_SEQUENCE_CHILD", "PRESTAGE_SEQUENCE_LARGE", "PRESTAGE_SEQUENCE_IMPORT_XML", "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN",
  "PRESTAGE_MEDIA_NOT_MEDIA", "PRESTAGE_MEDIA_FILE_DAMAGED", "PRESTAGE_MEDIA_FILE_MISSING", "PRESTAGE_MEDIA_FILE_UNEXPECTED", "PRESTAGE_MEDIA_KEYRING_MISMATCH", "PRESTAGE_MEDIA_OUTPUT_EXISTS", "PRESTAGE_MEDIA_OUTPUT_FOLDER",
  "PRESTAGE_TRUST_CHALLENGE_INVALID", "PRESTAGE_TRUST_CLAIM_PROOF", "PRESTAGE_TRUST_RENEWAL_REFUSED", "PRESTAGE_TRUST_REQUEST_SIGNATURE", "PRESTAGE_TRUST_URL_SIGNATURE", "PRESTAGE_TRUST_NOT_CANONICAL",
  "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", "PRESTAGE_CONTENT_SOURCE_EMPTY", "PRESTAGE_CONTENT_SOURCE_CHANGED", "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED", "PRESTAGE_CONTENT_IMAGE_DAMAGED", "PRESTAGE_CONTENT_WIMLIB", "PRESTAGE_CONTENT_CHUNK_FILE", "PRESTAGE_CONTENT_PATCH_SPACE", "PRESTAGE_CONTENT_EXPORT_EXISTS", "PRESTAGE_CONTENT_EXPORT_MALFORMED", "PRESTAGE_CONTENT_EXPORT_ALTERED",
] as const satisfies readonly (MediaErrorCode | TrustErrorCode | ContentErrorCode | SequenceErrorCode)[];

/** Errors that can stand on the screen "Stopped". One that is new does not compile until each language has it, or it is named above. */
export type ScreenErrorCode = AgentErrorCode | Exclude<MediaErrorCode | TrustErrorCode | ContentErrorCode | SequenceErrorCode | DiskErrorCode, (typeof neverAtAComputer)[number]>;
