import { DiskError } from "../error.ts";

/** A value of the registry. Numbers and texts are stored little-endian, texts as UTF-16 with a NUL behind ([MS-RRP] 2.2.9; winnt.h). */
export type RegistryValue =
  | { type: "string" | "expand"; text: string }
  | { type: "multi"; texts: readonly string[] }
  | { type: "dword"; number: number }
  | { type: "binary"; bytes: Uint8Array }
  | { type: "other"; code: number; bytes: Uint8Array };

/** A key with what is in it; the order of the names does not matter, and neither does their case. */
export interface RegistryKey {
  values?: Readonly<Record<string, RegistryValue>>;
  keys?: Readonly<Record<string, RegistryKey>>;
}

/** REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ (winnt.h). */
const codes = { string: 1, expand: 2, binary: 3, dword: 4, multi: 7 } as const;

/** A value as it lies in a hive: its type's number and its bytes. */
export function encodeValue(value: RegistryValue): { code: number; bytes: Buffer } {
  switch (value.type) {
    case "string": case "expand": return { code: codes[value.type], bytes: wide(`${value.text}\0`) };
    case "multi": return { code: codes.multi, bytes: wide(`${value.texts.map((text) => `${text}\0`).join("")}\0`) };
    case "binary": return { code: codes.binary, bytes: Buffer.from(value.bytes) };
    case "other": return { code: value.code, bytes: Buffer.from(value.bytes) };
    case "dword": {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value.number >>> 0);
      return { code: codes.dword, bytes };
    }
  }
}

/** What `encodeValue` made; anything of another type, or of a length its type does not have, is kept as it is. */
export function decodeValue(code: number, bytes: Buffer): RegistryValue {
  if ((code === codes.string || code === codes.expand) && bytes.length % 2 === 0) return { type: code === codes.string ? "string" : "expand", text: bytes.toString("utf16le").replace(/\0+$/, "") };
  if (code === codes.multi && bytes.length % 2 === 0) {
    const text = bytes.toString("utf16le").replace(/\0+$/, "");
    return { type: "multi", texts: text === "" ? [] : text.split("\0") };
  }
  if (code === codes.dword && bytes.length === 4) return { type: "dword", number: bytes.readUInt32LE() };
  return code === codes.binary ? { type: "binary", bytes } : { type: "other", code, bytes };
}

/** Whether names of keys or values are the same, as the registry sees it. */
export function sameName(one: string, other: string): boolean {
  return one.toUpperCase() === other.toUpperCase();
}

/** The order of a key's subkeys: by their names in upper case, one UTF-16 unit after the other. */
export function compareNames(one: string, other: string): number {
  const [left, right] = [one.toUpperCase(), other.toUpperCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

export function badHive(found: string, next = "The file is damaged, or no hive of Windows' registry."): DiskError {
  return new DiskError("PRESTAGE_DISK_BAD_REGISTRY", `Expected a sound hive of Windows' registry; found ${found}. ${next}`);
}

function wide(text: string): Buffer {
  return Buffer.from(text, "utf16le");
}
