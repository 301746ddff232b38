import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** One value of an append-only file: the first 16 hex digits of its SHA-256, a space, the value as JSON, a line feed. */
export function encodeLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

export interface DecodedLines {
  values: unknown[];
  /** Length of the part that is good; what follows is the torn end of a write that a power cut interrupted. */
  goodBytes: number;
  /** A good line follows a bad one: no power cut does that. */
  damaged: boolean;
}

/** Reads such a file; lines after the first bad one are not trusted. */
export function decodeLines(bytes: Buffer): DecodedLines {
  const values: unknown[] = [];
  let goodBytes = 0;
  let bad = false;
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    const value = feed < 0 ? undefined : decodeLine(bytes.toString("utf8", start, end));
    if (value === undefined) bad = true;
    else if (bad) return { values, goodBytes, damaged: true };
    else {
      values.push(value.value);
      goodBytes = end + 1;
    }
    start = end + 1;
  }
  return { values, goodBytes, damaged: false };
}

function decodeLine(line: string): { value: unknown } | undefined {
  const json = line.slice(17);
  if (line[16] !== " " || line.slice(0, 16) !== checksum(json)) return undefined;
  try {
    return { value: JSON.parse(json) };
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The file's lines; a torn end is cut off on the disk, so that the next line begins cleanly. A file that is not there has none. */
export function openDurableLines(path: string): DecodedLines {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const existed = (() => {
    try {
      return readFileSync(path);
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw cause;
    }
  })();
  if (existed === undefined) {
    closeSync(openSync(path, "a", 0o600));
    syncFolder(dirname(path));
    return { values: [], goodBytes: 0, damaged: false };
  }
  const decoded = decodeLines(existed);
  if (!decoded.damaged && decoded.goodBytes < existed.length) {
    withFile(path, "r+", (fd) => {
      ftruncateSync(fd, decoded.goodBytes);
      fsyncSync(fd);
    });
  }
  return decoded;
}

/** Appends; with `sync` it is on the disk when this returns. The file is not held open: the volume stays free to be unmounted. */
export function appendDurableLine(path: string, line: string, sync: boolean): void {
  withFile(path, "a", (fd) => {
    writeAll(fd, Buffer.from(line));
    if (sync) fdatasyncSync(fd);
  });
}

export function syncFile(path: string): void {
  withFile(path, "r+", fdatasyncSync);
}

/** Windows flushes no folder: NTFS keeps their changes in a journal of its own. */
export function syncFolder(path: string): void {
  if (process.platform !== "win32") withFile(path, "r", fsyncSync);
}

export function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

export function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
