/** Everything that can go wrong while a boot image is made. Mirrored in docs/errors.md. */
export const bootImageErrors = {
  PRESTAGE_BOOT_IMAGE_NO_DEBIAN_SOURCE: "The machine's apt sources name no Debian archive to take packages from.",
  PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED: "A program needed to build the boot image is missing or failed.",
  PRESTAGE_BOOT_IMAGE_PACKAGE_FAILED: "Debian packages could not be downloaded or unpacked.",
  PRESTAGE_BOOT_IMAGE_MODULE_MISSING: "A kernel module that was asked for is not in the kernel's packages.",
  PRESTAGE_BOOT_IMAGE_FIRMWARE_MISSING: "A firmware file that was asked for is in none of the packages.",
  PRESTAGE_BOOT_IMAGE_FILE_MISSING: "A program or library that belongs into the boot image is in none of the packages.",
  PRESTAGE_BOOT_IMAGE_BAD_INPUT: "An input of the build (keyring, agent bundle, Node) is missing or not what it should be.",
  PRESTAGE_BOOT_IMAGE_BAD_WIM: "The captured WIM does not look as expected, so its times could not be made reproducible.",
} as const;

export type BootImageErrorCode = keyof typeof bootImageErrors;

export class BootImageError extends Error {
  readonly code: BootImageErrorCode;

  constructor(code: BootImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BootImageError";
    this.code = code;
  }
}
