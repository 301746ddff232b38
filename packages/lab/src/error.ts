/** Everything that can go wrong in the virtual lab. Mirrored in docs/errors.md. */
export const labErrors = {
  PRESTAGE_LAB_PROGRAM_MISSING: "A program or firmware file the lab needs is not installed.",
  PRESTAGE_LAB_MACHINE_FAILED: "QEMU could not start the virtual machine, or refused a command.",
  PRESTAGE_LAB_MACHINE_ENDED: "The virtual machine ended while something was still expected of it.",
  PRESTAGE_LAB_MACHINE_SILENT: "The virtual machine wrote nothing for longer than allowed while something was expected of it.",
  PRESTAGE_LAB_GUEST_CRASHED: "The guest's kernel crashed: under emulation this can be the lab's fault, so it is tried once more.",
  PRESTAGE_LAB_LOGIN_FAILED: "The login on the serial console was refused.",
  PRESTAGE_LAB_DISK_FAILED: "The volatile disk in front of a disk image failed.",
  PRESTAGE_LAB_KEY_UNKNOWN: "A character to type has no key on the keyboard of the machine.",
  PRESTAGE_LAB_BAD_CAPTURE: "A network capture is not in the expected format.",
} as const;

export type LabErrorCode = keyof typeof labErrors;

export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LabError";
    this.code = code;
  }
}
