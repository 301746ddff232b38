import { badHive, compareNames, decodeValue, sameName } from "./registry-key.ts";
import type { RegistryKey, RegistryValue } from "./registry-key.ts";

/**
 * The file format of Windows' registry ("regf"), as the public "Windows registry file format specification" (M. Suhanov) describes it:
 * a base block of 4,096 bytes, then bins of cells. An offset counts from the first bin; a cell begins with its size, negative while it is in use.
 */
export const baseBlockSize = 4096;
export const binHeader = 32;
export const noCell = 0xffffffff;
/** Larger hives are of computers that have run for years, not of an image; and reading is in memory. */
const maximumHiveBytes = 512 << 20;
const maximumDepth = 64;
const maximumEntries = 1 << 20;
/** What reading a key with all below it may decode: cells may be named more than once, so the file's size is no bound. */
const maximumRead = 64 << 20;
const partBytes = 16_344;

/** Where things stand in a key's cell ("nk"). */
export const keyField = { flags: 2, written: 4, parent: 0x10, subkeys: 0x14, volatileSubkeys: 0x18, subkeyList: 0x1c, volatileList: 0x20, values: 0x24, valueList: 0x28, security: 0x2c, className: 0x30, longestSubkeyName: 0x34, longestClassName: 0x38, longestValueName: 0x3c, longestValue: 0x40, nameLength: 0x48, name: 0x4c } as const;

/** A hive's bytes with the way through them. Everything that is followed is checked: offsets, sizes, counts, depth. */
export class Hive {
  readonly bytes: Buffer;

  /** @throws DiskError PRESTAGE_DISK_BAD_REGISTRY */
  constructor(bytes: Buffer) {
    if (bytes.length < baseBlockSize * 2 || bytes.length > maximumHiveBytes || bytes.toString("latin1", 0, 4) !== "regf") throw badHive(`${bytes.length} bytes beginning with ${JSON.stringify(bytes.toString("latin1", 0, 4))}`);
    const [major, minor, size] = [bytes.readUInt32LE(0x14), bytes.readUInt32LE(0x18), bytes.readUInt32LE(0x28)];
    if (major !== 1 || minor < 3 || minor > 6) throw badHive(`version ${major}.${minor}`);
    if (size % 4096 !== 0 || size === 0 || baseBlockSize + size > bytes.length) throw badHive(`bins of ${size} bytes in a file of ${bytes.length}`);
    const [first, second] = [bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
    if (first !== second || bytes.readUInt32LE(0x1fc) !== baseChecksum(bytes)) {
      throw badHive(`one with changes that are in its transaction logs alone (sequence numbers ${first} and ${second})`, "Shut the computer that was captured down completely (shutdown /s /t 0, no fast startup) before it is captured, or use an image that setup or sysprep has closed.");
    }
    this.bytes = bytes;
  }

  /** Bytes of all bins. */
  get size(): number {
    return this.bytes.readUInt32LE(0x28);
  }
  get rootOffset(): number {
    return this.bytes.readUInt32LE(0x24);
  }

  /** What is in a cell, without its size; at least `least` bytes. */
  cell(offset: number, least = 0): Buffer {
    if (offset % 8 !== 0 || offset + 8 > this.size) throw badHive(`a cell at ${offset} of ${this.size}`);
    const size = -this.bytes.readInt32LE(baseBlockSize + offset);
    if (size < 8 || offset + size > this.size || size - 4 < least) throw badHive(`a cell of ${size} bytes at ${offset}`);
    return this.bytes.subarray(baseBlockSize + offset + 4, baseBlockSize + offset + size);
  }

  key(offset: number): Buffer {
    const cell = this.cell(offset, keyField.name);
    if (cell.toString("latin1", 0, 2) !== "nk" || keyField.name + cell.readUInt16LE(keyField.nameLength) > cell.length) throw badHive(`no key at ${offset}`);
    return cell;
  }

  keyName(offset: number): string {
    const key = this.key(offset);
    const name = key.subarray(keyField.name, keyField.name + key.readUInt16LE(keyField.nameLength));
    return name.toString((key.readUInt16LE(keyField.flags) & 0x20) !== 0 ? "latin1" : "utf16le");
  }

  /** Offsets of a key's subkeys, in the order they are kept in: by name. */
  subkeys(offset: number): number[] {
    const key = this.key(offset);
    const count = key.readUInt32LE(keyField.subkeys);
    if (count > maximumEntries) throw badHive(`${count} subkeys in ${this.keyName(offset)}`);
    const found = count === 0 ? [] : this.#listed(key.readUInt32LE(keyField.subkeyList), 0, count);
    if (found.length !== count) throw badHive(`${found.length} subkeys of ${count} in ${this.keyName(offset)}`);
    return found;
  }

  subkey(offset: number, name: string): number | undefined {
    return this.subkeys(offset).find((one) => sameName(this.keyName(one), name));
  }

  /** Offsets of a key's values. */
  values(offset: number): number[] {
    const key = this.key(offset);
    const count = key.readUInt32LE(keyField.values);
    if (count === 0) return [];
    if (count > maximumEntries) throw badHive(`${count} values in ${this.keyName(offset)}`);
    const list = this.cell(key.readUInt32LE(keyField.valueList), count * 4);
    return Array.from({ length: count }, (_, i) => list.readUInt32LE(i * 4));
  }

  value(offset: number): { name: string; value: RegistryValue } {
    const cell = this.#valueCell(offset);
    return { name: this.valueName(offset), value: decodeValue(cell.readUInt32LE(0xc), this.#data(cell)) };
  }

  /** A value's name alone. */
  valueName(offset: number): string {
    const cell = this.#valueCell(offset);
    return cell.toString((cell.readUInt16LE(0x10) & 1) !== 0 ? "latin1" : "utf16le", 0x14, 0x14 + cell.readUInt16LE(2));
  }

  #valueCell(offset: number): Buffer {
    const cell = this.cell(offset, 0x14);
    if (cell.toString("latin1", 0, 2) !== "vk" || 0x14 + cell.readUInt16LE(2) > cell.length) throw badHive(`no value at ${offset}`);
    return cell;
  }

  /** Data of at most four bytes lies in the value itself; of more than 16,344 in parts ("db"). */
  #data(value: Buffer): Buffer {
    const size = value.readUInt32LE(4);
    if (size >= 0x80000000) return value.subarray(8, 8 + Math.min(4, size - 0x80000000));
    if (size === 0) return Buffer.alloc(0);
    const cell = this.cell(value.readUInt32LE(8));
    if (size <= cell.length) return cell.subarray(0, size);
    if (cell.toString("latin1", 0, 2) !== "db" || size > this.size) throw badHive(`${size} bytes of data in a cell of ${cell.length}`);
    const count = cell.readUInt16LE(2);
    const list = this.cell(cell.readUInt32LE(4), count * 4);
    const needed = Math.ceil(size / partBytes);
    if (count < needed) throw badHive(`${size} bytes of data in ${count} parts`);
    const parts = Array.from({ length: needed }, (_, i) => this.cell(list.readUInt32LE(i * 4)).subarray(0, partBytes));
    return Buffer.concat(parts).subarray(0, size);
  }

  /** A list of subkeys: of keys ("li", "lf", "lh"), or of such lists ("ri"); of no more keys than that. */
  #listed(offset: number, depth: number, most: number): number[] {
    const list = this.cell(offset, 4);
    const kind = list.toString("latin1", 0, 2);
    const count = list.readUInt16LE(2);
    const width = kind === "lf" || kind === "lh" ? 8 : kind === "li" || kind === "ri" ? 4 : 0;
    if (width === 0 || 4 + count * width > list.length) throw badHive(`no list of keys at ${offset}`);
    if (count > most) throw badHive(`a list of ${count} keys where ${most} are left`);
    const offsets = Array.from({ length: count }, (_, i) => list.readUInt32LE(4 + i * width));
    if (kind !== "ri") return offsets;
    if (depth > 0) throw badHive("a list of lists of lists of keys");
    const found: number[] = [];
    for (const one of offsets) for (const key of this.#listed(one, depth + 1, most - found.length)) found.push(key);
    return found;
  }

  find(path: readonly string[]): number | undefined {
    let at: number | undefined = this.rootOffset;
    for (const name of path) at = at === undefined ? undefined : this.subkey(at, name);
    return at;
  }

  /** A key with all below it. */
  read(path: readonly string[]): RegistryKey | undefined {
    const offset = this.find(path);
    return offset === undefined ? undefined : this.#readKey(offset, 0, { entries: 0, bytes: 0 });
  }

  #readKey(offset: number, depth: number, read: { entries: number; bytes: number }): RegistryKey {
    if (depth > maximumDepth || ++read.entries > maximumEntries) throw badHive(`keys below ${maximumDepth} others, or more than ${maximumEntries}`);
    const values = this.values(offset).map((one) => {
      const size = this.#valueCell(one).readUInt32LE(4);
      read.bytes += size >= 0x80000000 ? 4 : size;
      if (++read.entries > maximumEntries || read.bytes > maximumRead) throw badHive(`more than ${maximumEntries} keys and values, or ${maximumRead} bytes of data, in one key`);
      const { name, value } = this.value(one);
      return [name, value] as const;
    });
    const keys = this.subkeys(offset).map((one) => [this.keyName(one), this.#readKey(one, depth + 1, read)] as const);
    return { ...(values.length > 0 && { values: Object.fromEntries(values) }), ...(keys.length > 0 && { keys: Object.fromEntries(keys.toSorted(([one], [other]) => compareNames(one, other))) }) };
  }
}

/** The exclusive or of the base block's first 127 words; neither of the two values that mean something else. */
export function baseChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < 0x1fc; at += 4) sum = (sum ^ bytes.readUInt32LE(at)) >>> 0;
  return sum === 0xffffffff ? 0xfffffffe : sum === 0 ? 1 : sum;
}
