export { labErrors, LabError, type LabErrorCode } from "./error.ts";
export { bootDisk, type BootDiskOptions, type CutResult, type ExitReason, type Machine } from "./machine.ts";
export type { DiskBus } from "./qemu-command.ts";
export { SerialLog, type WaitOptions } from "./serial-log.ts";
export { SerialConsole, type CommandResult } from "./serial-console.ts";
export { retryOnGuestCrash, findGuestCrash } from "./guest-crash.ts";
export { readCapture, type CapturedPacket } from "./capture.ts";
export { checkpoint } from "./checkpoint.ts";
export { randomFrom } from "./volatile-cache.ts";
