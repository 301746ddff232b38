export { bootImageErrors, BootImageError, type BootImageErrorCode } from "./error.ts";
export { debianSources, sourcesFor, type DebianSource, type DebianSuite } from "./debian-sources.ts";
export type { DebianPackage } from "./debian-tree.ts";
export type { SizedFile } from "./module-files.ts";
export type { BootProfile } from "./profiles.ts";
export { buildBootImage, type BootImageOptions, type BootImageResult } from "./build-boot-image.ts";
export { unpackInitramfs } from "./unpack-initramfs.ts";
export { buildServiceHost, windowsFiles, windowsNode, windowsRuntime, type WindowsRuntime } from "./windows/windows-runtime.ts";
