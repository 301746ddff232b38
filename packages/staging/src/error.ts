/** Everything that can go wrong while a disk is staged. Mirrored in docs/errors.md. */
export const stagingErrors = {
  PRESTAGE_STAGING_DISK_IN_USE: "The disk or a part of it is mounted or held by something else.",
  PRESTAGE_STAGING_SYSTEM_DISK: "The disk is the one the running system was started from.",
  PRESTAGE_STAGING_NOT_EMPTY: "The disk is not empty and no matching --wipe was given.",
  PRESTAGE_STAGING_WRONG_PARTITIONS: "The given partitions are not usable: wrong file system, not empty, or on two disks.",
  PRESTAGE_STAGING_NO_SPACE: "There is not enough room for the media's files while the disk is being made.",
  PRESTAGE_STAGING_WORK_FOLDER: "The folder in which files are put together is somebody else's, or others may write to it.",
  PRESTAGE_STAGING_NOT_ROOT: "Staging has to run as root, so that the files on the disk belong to root.",
  PRESTAGE_STAGING_READ_BACK_FAILED: "What was read back from the disk is not what the media holds.",
  PRESTAGE_STAGING_MEDIA_DAMAGED: "The media lacks a file that staging needs, or holds another one than its manifest names.",
  PRESTAGE_STAGING_DEPOT_KEY: "The depot's key is there already, can be read by others, or is not the one its public file names.",
  PRESTAGE_STAGING_NOT_STAGED: "The disk is not a staged one: it has no media, or has been started and met its site already.",
  PRESTAGE_STAGING_RECEIPT_MISMATCH: "A receipt speaks of another disk, or of other files than the disk holds.",
  PRESTAGE_STAGING_NOT_REPAIRABLE: "A file of a staged disk could not be mended from the source given.",
  PRESTAGE_STAGING_NOT_REFRESHABLE: "A staged disk cannot be brought up to another media: its file system, its room, or a file of the media does not allow it.",
  PRESTAGE_STAGING_OTHER_MEDIA: "The media given is not the one the disk was staged from, or is not of the site whose disk it is.",
  PRESTAGE_STAGING_BUNDLE: "A bundle for a depot cannot be made: its folder is there already, or this machine lacks a program or library that goes into it.",
} as const;

export type StagingErrorCode = keyof typeof stagingErrors;

export class StagingError extends Error {
  readonly code: StagingErrorCode;

  constructor(code: StagingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StagingError";
    this.code = code;
  }
}
