/** The newc cpio format (Linux: Documentation/driver-api/early-userspace/buffer-format.rst): what an initramfs is made of. */

export type InitramfsEntry =
  | { kind: "directory"; path: string; mode: number }
  | { kind: "file"; path: string; mode: number; data: Uint8Array }
  | { kind: "symlink"; path: string; target: string }
  | { kind: "device"; path: string; mode: number; major: number; minor: number };

const trailer = "TRAILER!!!";
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;

/**
 * Writes entries in the given order, all owned by root, with inode numbers counted from 1 and the same time (seconds
 * since 1970) for each, so that the same entries always give the same bytes.
 */
export function* writeNewc(entries: Iterable<InitramfsEntry>, time: number): Generator<Uint8Array> {
  let inode = 0;
  let size = 0;
  const count = (part: Uint8Array): Uint8Array => {
    size += part.length;
    return part;
  };
  for (const entry of entries) {
    inode += 1;
    const data = entry.kind === "file" ? entry.data : entry.kind === "symlink" ? Buffer.from(entry.target) : new Uint8Array(0);
    const device = entry.kind === "device" ? { major: entry.major, minor: entry.minor } : { major: 0, minor: 0 };
    yield count(header(entry.path, modeOf(entry), inode, entry.kind === "directory" ? 2 : 1, time, data.length, device));
    yield count(data);
    yield count(padding(data.length));
  }
  yield count(header(trailer, 0, 0, 1, 0, 0, { major: 0, minor: 0 }));
  // Whole blocks, as cpio reads them, so that archives may follow each other.
  yield new Uint8Array((512 - (size % 512)) % 512);
}

/** Reads archives that follow each other. Throws a RangeError for bytes that are none. */
export function* readNewc(bytes: Uint8Array): Generator<InitramfsEntry> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < text.length; ) {
    if (text[at] === 0) {
      at += 1;
      continue;
    }
    if (at % 4 !== 0 || text.toString("latin1", at, at + 6) !== "070701") throw new RangeError(`There is no cpio header at ${at}.`);
    const field = (index: number): number => Number.parseInt(text.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const nameEnd = at + 110 + nameSize;
    const start = nameEnd + ((4 - (nameEnd % 4)) % 4);
    const end = start + size;
    if (!(nameSize > 1) || !(end <= text.length)) throw new RangeError(`The cpio entry at ${at} is cut off.`);
    const path = text.toString("utf8", at + 110, nameEnd - 1);
    const data = text.subarray(start, end);
    const [major, minor] = [field(9), field(10)];
    at = end + ((4 - (end % 4)) % 4);
    if (path === trailer) continue;
    switch (mode & 0o170000) {
      case S_IFDIR: yield { kind: "directory", path, mode: mode & 0o7777 }; break;
      case S_IFREG: yield { kind: "file", path, mode: mode & 0o7777, data }; break;
      case S_IFLNK: yield { kind: "symlink", path, target: data.toString("utf8") }; break;
      case S_IFCHR: yield { kind: "device", path, mode: mode & 0o7777, major, minor }; break;
      default: throw new RangeError(`The cpio entry ${path} is of an unknown kind.`);
    }
  }
}

function modeOf(entry: InitramfsEntry): number {
  switch (entry.kind) {
    case "directory": return S_IFDIR | entry.mode;
    case "file": return S_IFREG | entry.mode;
    case "symlink": return S_IFLNK | 0o777;
    case "device": return S_IFCHR | entry.mode;
  }
}

/** 110 bytes of ASCII, the name with its NUL, padded to a multiple of four. */
function header(path: string, mode: number, inode: number, links: number, time: number, size: number, device: { major: number; minor: number }): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, time, size, 0, 0, device.major, device.minor, name.length, 0];
  const text = `070701${fields.map((field) => (field >>> 0).toString(16).toUpperCase().padStart(8, "0")).join("")}`;
  return Buffer.concat([Buffer.from(text, "latin1"), name, padding(110 + name.length)]);
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
