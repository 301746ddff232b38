/** The newc cpio format (Linux: Documentation/driver-api/early-userspace/buffer-format.rst): what an initramfs is made of. */

export type InitramfsEntry =
  | { kind: "directory"; path: string; mode: number }
  | { kind: "file"; path: string; mode: number; data: Uint8Array }
  | { kind: "symlink"; path: string; target: string }
  | { kind: "device"; path: string; mode: number; major: number; minor: number };

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
  for (const entry of entries) {
    inode += 1;
    const data = entry.kind === "file" ? entry.data : entry.kind === "symlink" ? Buffer.from(entry.target) : new Uint8Array(0);
    const device = entry.kind === "device" ? { major: entry.major, minor: entry.minor } : { major: 0, minor: 0 };
    yield header(entry.path, modeOf(entry), inode, entry.kind === "directory" ? 2 : 1, time, data.length, device);
    yield data;
    yield padding(data.length);
  }
  yield header("TRAILER!!!", 0, 0, 1, 0, 0, { major: 0, minor: 0 });
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
