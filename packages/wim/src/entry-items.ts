import { align8, asBuffer } from "./bytes.ts";
import { findTaggedItem, type WimEntry } from "./entry.ts";

/** `u32 tag | u32 length | data` behind the names of a directory entry, padded to 8. Little-endian. */
export interface TaggedItem {
  readonly tag: number;
  /** As stored. */
  readonly data: Uint8Array;
}

export const itemTags = { objectId: 1, extendedAttributes: 2, unix: 0x337dd873, oldLinuxXattrs: 0x337dd874 } as const;

/** An extended attribute: of NTFS, or of Linux, which wimlib stores in the same item. */
export interface ExtendedAttribute {
  /** Bytes as latin1 text: names are not said to be in any encoding. */
  readonly name: string;
  /** 0x80: whoever opens the file must understand the attribute ([MS-FSCC] 2.4.16). */
  readonly flags: number;
  readonly value: Uint8Array;
}

/** All items in stored order, unknown ones too; what does not fit ends the list. */
export function taggedItems(entry: WimEntry): TaggedItem[] {
  const bytes = asBuffer(entry.taggedItems);
  const items: TaggedItem[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    if (length > bytes.length - at - 8) break;
    items.push({ tag: bytes.readUInt32LE(at), data: bytes.subarray(at + 8, at + 8 + length) });
    at = align8(at + 8 + length);
  }
  return items;
}

/** The NTFS object id: 16 bytes, sometimes followed by three birth ids of 16 ([MS-FSCC] 2.1.3). */
export function objectId(entry: WimEntry): Uint8Array | undefined {
  const data = findTaggedItem(entry.taggedItems, itemTags.objectId);
  return data === undefined || data.length < 16 ? undefined : data;
}

/**
 * The extended attributes of NTFS: `u16 value length | u8 name length | u8 flags | name | 0 | value`, one behind the other
 * without padding. A list that does not fit ends before the part that does not.
 */
export function extendedAttributes(entry: WimEntry): ExtendedAttribute[] {
  const data = findTaggedItem(entry.taggedItems, itemTags.extendedAttributes);
  const found: ExtendedAttribute[] = [];
  for (let at = 0; data !== undefined && at + 4 <= data.length; ) {
    const valueLength = data.readUInt16LE(at);
    const nameLength = data.readUInt8(at + 2);
    const valueStart = at + 4 + nameLength + 1;
    if (valueStart + valueLength > data.length) break;
    found.push({ flags: data.readUInt8(at + 3), name: data.toString("latin1", at + 4, at + 4 + nameLength), value: data.subarray(valueStart, valueStart + valueLength) });
    at = valueStart + valueLength;
  }
  return found;
}

/**
 * The extended attributes of Linux (`user.`, `security.`, `system.posix_acl_access` ...). wimlib stores them as those of
 * NTFS; older releases in an item of their own: `u16 name length | u16 0 | u32 value length | name | value`, each
 * padded to 4. An entry has one form or the other.
 */
export function linuxXattrs(entry: WimEntry): ExtendedAttribute[] {
  const data = findTaggedItem(entry.taggedItems, itemTags.oldLinuxXattrs);
  if (data === undefined) return extendedAttributes(entry).filter((attribute) => attribute.name.includes("."));
  const found: ExtendedAttribute[] = [];
  for (let at = 0; at + 8 <= data.length; ) {
    const nameEnd = at + 8 + data.readUInt16LE(at);
    const valueEnd = nameEnd + data.readUInt32LE(at + 4);
    if (valueEnd > data.length) break;
    found.push({ flags: 0, name: data.toString("latin1", at + 8, nameEnd), value: data.subarray(nameEnd, valueEnd) });
    at = Math.ceil(valueEnd / 4) * 4;
  }
  return found;
}
