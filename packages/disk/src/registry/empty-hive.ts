import { cellSize, fileTime, newKey, writeBinHeader } from "./hive-cells.ts";
import { baseBlockSize, baseChecksum, binHeader, keyField, noCell } from "./hive.ts";

/** An empty hive: a root key, and a descriptor that lets administrators and the system do everything. */
export function emptyHive(rootName: string, at: Date): Buffer {
  const bytes = Buffer.alloc(baseBlockSize + 4096);
  bytes.write("regf", "latin1");
  for (const [offset, number] of [[4, 1], [8, 1], [0x14, 1], [0x18, 5], [0x20, 1], [0x24, binHeader], [0x28, 4096], [0x2c, 1]] as const) bytes.writeUInt32LE(number, offset);
  bytes.writeBigUInt64LE(fileTime(at), 0xc);
  writeBinHeader(bytes, 0, 4096, at);
  const name = Buffer.from(rootName, "latin1");
  const keySize = cellSize(keyField.name + name.length);
  const security = binHeader + keySize;
  const descriptor = administratorsOnly();
  const key = newKey(name, 0x2c, noCell, security, at); // the root of a hive; may not be deleted
  const record = Buffer.alloc(0x14 + descriptor.length);
  record.write("sk", "latin1");
  for (const [offset, number] of [[4, security], [8, security], [0xc, 1], [0x10, descriptor.length]] as const) record.writeUInt32LE(number, offset);
  descriptor.copy(record, 0x14);
  let offset = binHeader;
  for (const cell of [key, record]) {
    bytes.writeInt32LE(-cellSize(cell.length), baseBlockSize + offset);
    cell.copy(bytes, baseBlockSize + offset + 4);
    offset += cellSize(cell.length);
  }
  bytes.writeInt32LE(4096 - offset, baseBlockSize + offset);
  bytes.writeUInt32LE(baseChecksum(bytes), 0x1fc);
  return bytes;
}

/** Owner and group Administrators; full control for Administrators and SYSTEM, inherited by keys below (self-relative, [MS-DTYP] 2.4.6). */
function administratorsOnly(): Buffer {
  const sid = (...parts: number[]): Buffer => {
    const bytes = Buffer.alloc(8 + parts.length * 4);
    bytes.set([1, parts.length, 0, 0, 0, 0, 0, 5]);
    for (const [i, part] of parts.entries()) bytes.writeUInt32LE(part, 8 + i * 4);
    return bytes;
  };
  const administrators = sid(32, 544);
  const entries = [administrators, sid(18)].map((one) => {
    const entry = Buffer.alloc(8);
    entry.set([0, 2]); // allowed; keys below inherit it
    entry.writeUInt16LE(8 + one.length, 2);
    entry.writeUInt32LE(0xf003f, 4); // KEY_ALL_ACCESS
    return Buffer.concat([entry, one]);
  });
  const list = Buffer.concat([Buffer.alloc(8), ...entries]);
  list.writeUInt8(2, 0);
  list.writeUInt16LE(list.length, 2);
  list.writeUInt16LE(entries.length, 4);
  const head = Buffer.alloc(20);
  head.writeUInt8(1, 0);
  head.writeUInt16LE(0x8004, 2); // self-relative, with a list
  for (const [i, offset] of [20, 20 + administrators.length, 0, 20 + 2 * administrators.length].entries()) head.writeUInt32LE(offset, 4 + i * 4);
  return Buffer.concat([head, administrators, administrators, list]);
}
