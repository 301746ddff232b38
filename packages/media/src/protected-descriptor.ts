/** Well-known SIDs ([MS-DTYP] 2.4.2.4): revision 1, authority 5 (NT). */
const system = sid(18);
const administrators = sid(32, 544);
/** FILE_ALL_ACCESS ([MS-DTYP] 2.4.3). */
const fullAccess = 0x001f01ff;
/** OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE: what is made below a folder gets the same. */
const inherited = 0x03;

/**
 * The security descriptor of everything under /prestage on an NTFS volume (self-relative, [MS-DTYP] 2.4.6): owner and group
 * Administrators; a protected list that lets SYSTEM and Administrators do anything and nobody else anything. Without one a
 * file laid on NTFS belongs to everyone, and any local user could change what the computer will install.
 */
export const protectedDescriptor: Uint8Array = descriptor();

function descriptor(): Uint8Array {
  const entries = [accessAllowed(system), accessAllowed(administrators)];
  const list = Buffer.concat([Buffer.alloc(8), ...entries]);
  list.writeUInt8(2, 0); // ACL_REVISION
  list.writeUInt16LE(list.length, 2);
  list.writeUInt16LE(entries.length, 4);
  const head = Buffer.alloc(20);
  head.writeUInt8(1, 0);
  head.writeUInt16LE(0x8000 | 0x1000 | 0x0004, 2); // SE_SELF_RELATIVE, SE_DACL_PROTECTED, SE_DACL_PRESENT
  head.writeUInt32LE(head.length, 4); // owner
  head.writeUInt32LE(head.length + administrators.length, 8); // group
  head.writeUInt32LE(head.length + 2 * administrators.length, 16); // list; there is no audit list
  return Buffer.concat([head, administrators, administrators, list]);
}

function accessAllowed(trustee: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(0, 0); // ACCESS_ALLOWED_ACE_TYPE
  head.writeUInt8(inherited, 1);
  head.writeUInt16LE(head.length + trustee.length, 2);
  head.writeUInt32LE(fullAccess, 4);
  return Buffer.concat([head, trustee]);
}

function sid(...parts: number[]): Buffer {
  const bytes = Buffer.alloc(8 + parts.length * 4);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(parts.length, 1);
  bytes.writeUInt8(5, 7); // the authority's last byte, big-endian
  parts.forEach((part, i) => bytes.writeUInt32LE(part, 8 + i * 4));
  return bytes;
}
