import { open } from "node:fs/promises";
import { BootImageError } from "./error.ts";

/** FILETIME (100 ns since 1601) of seconds since 1970. */
export function fileTime(seconds: number): bigint {
  return (BigInt(seconds) + 11644473600n) * 10_000_000n;
}

/** Replaces the digits of every time in a WIM's XML by those of one time, keeping its length. */
export function replaceXmlTimes(xml: string, time: bigint): string {
  const digits = (value: bigint): string => `0x${value.toString(16).toUpperCase().padStart(8, "0")}`;
  return xml
    .replace(/(<HIGHPART>)0x[0-9A-Fa-f]{8}(<\/HIGHPART>)/g, `$1${digits(time >> 32n)}$2`)
    .replace(/(<LOWPART>)0x[0-9A-Fa-f]{8}(<\/LOWPART>)/g, `$1${digits(time & 0xffffffffn)}$2`);
}

/**
 * Makes a captured WIM depend on its inputs alone: two captures of one tree differ only in the header's GUID and the
 * times in the XML, and the integrity table covers neither.
 */
export async function fixWimTimes(path: string, guid: Uint8Array, seconds: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const header = Buffer.alloc(208);
    await file.read(header, 0, 208, 0);
    if (header.toString("latin1", 0, 8) !== "MSWIM\0\0\0") throw unexpected(path, "its first bytes are not those of a WIM");
    await file.write(guid, 0, 16, 24);
    const size = Number(header.readBigUInt64LE(72) & 0xff_ffff_ffff_ffffn);
    const offset = Number(header.readBigUInt64LE(80));
    if (size > 1 << 20) throw unexpected(path, `its XML has ${size} bytes`);
    const xml = Buffer.alloc(size);
    await file.read(xml, 0, size, offset);
    const replaced = Buffer.from(replaceXmlTimes(xml.toString("utf16le"), fileTime(seconds)), "utf16le");
    if (replaced.length !== size) throw unexpected(path, "its XML times are not eight digits each");
    await file.write(replaced, 0, size, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unexpected(path: string, what: string): BootImageError {
  return new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_WIM", `Could not make ${path} reproducible: ${what}. Check the version of wimlib-imagex on this machine.`);
}
