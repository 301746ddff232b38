import { baseBlockSize, keyField, noCell } from "./hive.ts";

/** A key without subkeys and values. */
export function newKey(name: Buffer, flags: number, parent: number, security: number, at: Date): Buffer {
  const key = Buffer.alloc(keyField.name + name.length);
  key.write("nk", "latin1");
  key.writeUInt16LE(flags, keyField.flags);
  key.writeBigUInt64LE(fileTime(at), keyField.written);
  for (const field of [keyField.subkeyList, keyField.volatileList, keyField.valueList, keyField.className] as const) key.writeUInt32LE(noCell, field);
  key.writeUInt32LE(parent, keyField.parent);
  key.writeUInt32LE(security, keyField.security);
  key.writeUInt16LE(name.length, keyField.nameLength);
  name.copy(key, keyField.name);
  return key;
}

/** One byte for each character where that is enough, as Windows writes names. */
export function nameBytes(name: string): { bytes: Buffer; flags: 0 | 1 } {
  return /^[\x20-\xff]*$/.test(name) ? { bytes: Buffer.from(name, "latin1"), flags: 1 } : { bytes: Buffer.from(name, "utf16le"), flags: 0 };
}

export function nameHash(name: string): number {
  let hash = 0;
  const upper = name.toUpperCase();
  for (let i = 0; i < upper.length; i++) hash = (Math.imul(hash, 37) + upper.charCodeAt(i)) >>> 0;
  return hash;
}

export function writeBinHeader(bytes: Buffer, offset: number, size: number, at: Date): void {
  const place = baseBlockSize + offset;
  bytes.write("hbin", place, "latin1");
  bytes.writeUInt32LE(offset, place + 4);
  bytes.writeUInt32LE(size, place + 8);
  if (offset === 0) bytes.writeBigUInt64LE(fileTime(at), place + 20);
}

export function cellSize(length: number): number {
  return Math.ceil((length + 4) / 8) * 8;
}

/** Tenths of microseconds since 1601 (FILETIME). */
export function fileTime(at: Date): bigint {
  return (BigInt(at.getTime()) + 11_644_473_600_000n) * 10_000n;
}
