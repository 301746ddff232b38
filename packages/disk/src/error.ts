/** Everything that can go wrong with a disk. Mirrored in docs/errors.md. */
export const diskErrors = {
  PRESTAGE_DISK_PROGRAM_FAILED: "A program that works on disks is missing or failed.",
  PRESTAGE_DISK_NOT_A_DISK: "The path is neither a block device nor a raw image file.",
  PRESTAGE_DISK_TOO_SMALL: "The disk is too small for the partitions and what goes on them.",
  PRESTAGE_DISK_BAD_TABLE: "The disk's partition table is missing or not as expected.",
  PRESTAGE_DISK_BAD_FILE_SYSTEM: "A file system could not be read: it is damaged or has features that are not supported.",
  PRESTAGE_DISK_FILE_MISSING: "A file that should be on the disk is not there.",
  PRESTAGE_DISK_BAD_BOOT_SWITCH: "prestage/boot.env is not a boot switch of the expected form.",
  PRESTAGE_DISK_IMAGE_REFUSED: "An OS image holds names in its root that belong to the deployment.",
  PRESTAGE_DISK_NO_KERNEL: "The applied OS image holds no kernel with an initramfs.",
  PRESTAGE_DISK_BAD_SETTING: "A setting for the installed system is not valid.",
  PRESTAGE_DISK_BAD_REGISTRY: "A hive of Windows' registry is damaged, or was not closed before it was captured.",
  PRESTAGE_DISK_NO_BOOT_FILES: "The applied Windows lacks files it starts from.",
  PRESTAGE_DISK_ENCRYPTED: "A partition to encrypt is encrypted already, by other keys.",
} as const;

export type DiskErrorCode = keyof typeof diskErrors;

export class DiskError extends Error {
  readonly code: DiskErrorCode;

  constructor(code: DiskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DiskError";
    this.code = code;
  }
}
