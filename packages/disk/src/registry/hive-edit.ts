import { badHive, compareNames, encodeValue, sameName } from "./registry-key.ts";
import type { RegistryKey, RegistryValue } from "./registry-key.ts";
import { cellSize, fileTime, nameBytes, nameHash, newKey, writeBinHeader } from "./hive-cells.ts";
import { baseBlockSize, baseChecksum, binHeader, Hive, keyField } from "./hive.ts";

/** Most keys in one list: what fits into one page, as Windows splits them. */
const longestList = 500;
/** Larger data would lie in parts; nothing here is. */
const longestData = 16_344;

/**
 * A hive with these keys and values in it: what is missing is made, a value that says something else is replaced, all else stays as it is. What is new
 * lies in bins behind the others. The same bytes come back where nothing has to be changed.
 * @throws DiskError PRESTAGE_DISK_BAD_REGISTRY
 */
export function putKey(bytes: Buffer, path: readonly string[], key: RegistryKey, at: Date): Buffer {
  const edit = new HiveEdit(bytes, at);
  let offset = edit.hive.rootOffset;
  for (const name of path) offset = edit.ensureKey(offset, name);
  edit.put(offset, key);
  return edit.finish();
}

class HiveEdit {
  hive: Hive;
  readonly #at: Date;
  /** Of the hive as it was given. */
  readonly #before: Buffer;
  #changed = false;
  /** Where the next new cell lies, and where the bins end, counted from the first. */
  #free: number;
  #end: number;

  constructor(bytes: Buffer, at: Date) {
    const size = new Hive(bytes).size;
    this.#before = bytes;
    this.#at = at;
    // Some hives have rests of longer ones behind their bins.
    this.hive = new Hive(Buffer.from(bytes.subarray(0, baseBlockSize + size)));
    this.#free = this.#end = size;
  }

  /** The hive, marked as whole; a number higher than before, so that no older transaction log is taken for its continuation. */
  finish(): Buffer {
    if (!this.#changed) return this.#before;
    this.#closeBin();
    const { bytes } = this.hive;
    const sequence = (bytes.readUInt32LE(4) + 1) >>> 0;
    bytes.writeUInt32LE(sequence, 4);
    bytes.writeUInt32LE(sequence, 8);
    bytes.writeBigUInt64LE(fileTime(this.#at), 0xc);
    bytes.writeUInt32LE(baseChecksum(bytes), 0x1fc);
    return bytes;
  }

  put(offset: number, key: RegistryKey): void {
    for (const [name, value] of Object.entries(key.values ?? {})) this.#putValue(offset, name, value);
    for (const [name, inner] of Object.entries(key.keys ?? {})) this.put(this.ensureKey(offset, name), inner);
  }

  ensureKey(parent: number, name: string): number {
    return this.hive.subkey(parent, name) ?? this.#addKey(parent, name);
  }

  #addKey(parent: number, name: string): number {
    if (name === "" || name.length > 255 || name.includes("\\")) throw new TypeError(`no name of a key: ${JSON.stringify(name)}`);
    const security = this.hive.key(parent).readUInt32LE(keyField.security);
    const { bytes, flags } = nameBytes(name);
    const offset = this.#add(newKey(bytes, flags === 1 ? 0x20 : 0, parent, security, this.#at));
    const record = this.hive.cell(security, 0x14);
    if (record.toString("latin1", 0, 2) !== "sk") throw badHive(`no security descriptor at ${security}`);
    record.writeUInt32LE(record.readUInt32LE(0xc) + 1, 0xc);
    const before = this.hive.subkeys(parent);
    const place = before.findIndex((one) => compareNames(this.hive.keyName(one), name) > 0);
    const keys = before.toSpliced(place < 0 ? before.length : place, 0, offset);
    const old = this.hive.key(parent).readUInt32LE(keyField.subkeyList);
    const list = this.#addList(keys);
    if (before.length > 0) this.#dropList(old);
    const key = this.hive.key(parent);
    key.writeUInt32LE(keys.length, keyField.subkeys);
    key.writeUInt32LE(list, keyField.subkeyList);
    // The lower half: the upper one of this field holds flags since Windows 8.
    key.writeUInt16LE(Math.max(key.readUInt16LE(keyField.longestSubkeyName), name.length * 2), keyField.longestSubkeyName);
    key.writeBigUInt64LE(fileTime(this.#at), keyField.written);
    return offset;
  }

  /** Lists by hash ("lh", since version 1.5) or by the names' beginnings ("lf"); several under one ("ri") where they are many. */
  #addList(keys: readonly number[]): number {
    const hashed = this.hive.bytes.readUInt32LE(0x18) >= 5;
    const leaves: number[] = [];
    for (let i = 0; i < keys.length; i += longestList) {
      const part = keys.slice(i, i + longestList);
      const list = Buffer.alloc(4 + part.length * 8);
      list.write(hashed ? "lh" : "lf", "latin1");
      list.writeUInt16LE(part.length, 2);
      for (const [j, key] of part.entries()) {
        const name = this.hive.keyName(key);
        list.writeUInt32LE(key, 4 + j * 8);
        if (hashed) list.writeUInt32LE(nameHash(name), 8 + j * 8);
        else list.write(name.slice(0, 4), 8 + j * 8, "latin1");
      }
      leaves.push(this.#add(list));
    }
    const [only] = leaves;
    if (leaves.length === 1 && only !== undefined) return only;
    const root = Buffer.alloc(4 + leaves.length * 4);
    root.write("ri", "latin1");
    root.writeUInt16LE(leaves.length, 2);
    for (const [i, leaf] of leaves.entries()) root.writeUInt32LE(leaf, 4 + i * 4);
    return this.#add(root);
  }

  #dropList(offset: number): void {
    const list = this.hive.cell(offset, 4);
    if (list.toString("latin1", 0, 2) === "ri") for (let i = 0; i < list.readUInt16LE(2); i++) this.#drop(list.readUInt32LE(4 + i * 4));
    this.#drop(offset);
  }

  #putValue(offset: number, name: string, value: RegistryValue): void {
    const { code, bytes: data } = encodeValue(value);
    if (data.length > longestData || name.length > 255) throw new TypeError(`a value of ${data.length} bytes named ${JSON.stringify(name)}`);
    const before = this.hive.values(offset);
    const place = before.findIndex((one) => sameName(this.hive.valueName(one), name));
    const old = before[place];
    if (old !== undefined) {
      const found = encodeValue(this.hive.value(old).value);
      if (found.code === code && found.bytes.equals(data)) return;
    }
    const made = this.#addValue(old === undefined ? name : this.hive.valueName(old), code, data);
    if (old !== undefined) {
      this.hive.cell(this.hive.key(offset).readUInt32LE(keyField.valueList)).writeUInt32LE(made, place * 4);
      this.#dropValue(old);
    } else {
      const list = Buffer.alloc((before.length + 1) * 4);
      for (const [i, one] of [...before, made].entries()) list.writeUInt32LE(one, i * 4);
      const oldList = this.hive.key(offset).readUInt32LE(keyField.valueList);
      const newList = this.#add(list);
      if (before.length > 0) this.#drop(oldList);
      const key = this.hive.key(offset);
      key.writeUInt32LE(before.length + 1, keyField.values);
      key.writeUInt32LE(newList, keyField.valueList);
    }
    const key = this.hive.key(offset);
    key.writeUInt32LE(Math.max(key.readUInt32LE(keyField.longestValueName), name.length * 2), keyField.longestValueName);
    key.writeUInt32LE(Math.max(key.readUInt32LE(keyField.longestValue), data.length), keyField.longestValue);
    key.writeBigUInt64LE(fileTime(this.#at), keyField.written);
  }

  #addValue(name: string, code: number, data: Buffer): number {
    const { bytes, flags } = nameBytes(name);
    const cell = Buffer.alloc(0x14 + bytes.length);
    cell.write("vk", "latin1");
    cell.writeUInt16LE(bytes.length, 2);
    cell.writeUInt32LE(code, 0xc);
    cell.writeUInt16LE(flags, 0x10);
    bytes.copy(cell, 0x14);
    if (data.length <= 4) {
      cell.writeUInt32LE(data.length + 0x80000000, 4);
      data.copy(cell, 8);
    } else {
      cell.writeUInt32LE(data.length, 4);
      cell.writeUInt32LE(this.#add(data), 8);
    }
    return this.#add(cell);
  }

  #dropValue(offset: number): void {
    const value = this.hive.cell(offset, 0x14);
    const size = value.readUInt32LE(4);
    // Data in parts is left where it lies: cells nobody names do no harm.
    if (size > 0 && size <= longestData) this.#drop(value.readUInt32LE(8));
    this.#drop(offset);
  }

  /** A new cell in a bin at the end. */
  #add(data: Buffer): number {
    this.#changed = true;
    const size = cellSize(data.length);
    if (this.#free === this.#end) this.#free += binHeader; // a new bin begins
    const offset = this.#free;
    this.#free += size;
    const first = this.hive.size;
    const end = Math.ceil(this.#free / 4096) * 4096;
    if (end > first) this.hive = grown(this.hive, end - first);
    this.hive.bytes.writeInt32LE(-size, baseBlockSize + offset);
    data.copy(this.hive.bytes, baseBlockSize + offset + 4);
    return offset;
  }

  #drop(offset: number): void {
    this.#changed = true;
    this.hive.cell(offset);
    const at = baseBlockSize + offset;
    this.hive.bytes.writeInt32LE(-this.hive.bytes.readInt32LE(at), at);
  }

  /** All new cells are one bin; its rest is one free cell. */
  #closeBin(): void {
    const { bytes, size } = this.hive;
    if (this.#free === this.#end) return;
    writeBinHeader(bytes, this.#end, size - this.#end, this.#at);
    if (this.#free < size) bytes.writeInt32LE(size - this.#free, baseBlockSize + this.#free);
  }
}

function grown(hive: Hive, more: number): Hive {
  const bytes = Buffer.concat([hive.bytes, Buffer.alloc(more)]);
  bytes.writeUInt32LE(hive.size + more, 0x28);
  bytes.writeUInt32LE(baseChecksum(bytes), 0x1fc);
  return new Hive(bytes);
}
