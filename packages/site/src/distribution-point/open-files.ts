import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { openStoredSource } from "@prestage/content";

/** Read at a place, as of a FileHandle. */
export interface ReadableFile { read: (buffer: Buffer, offset: number, length: number, position: number) => Promise<{ bytesRead: number }>; close: () => Promise<void> }
/** A file kept open. */
export interface OpenFile { handle: ReadableFile; /** Bytes. */ size: number }
interface Kept { opened: Promise<OpenFile>; users: number; since: number; closing: boolean }

/** So long is a file taken for what lies under its name: content never changes, but damaged content is imported again. */
const longestMs = 10_000;
const mostKept = 128;

/** Files that were asked for a moment ago, still open: a computer that fetches pieces asks for thousands of ranges of one. */
export class OpenFiles {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Opens a file for one user; `release` must be called once. Rejects as `open` does. */
  async acquire(path: string): Promise<OpenFile & { release: () => void }> {
    let kept = this.#kept.get(path);
    if (kept !== undefined && this.#now() - kept.since > longestMs) {
      this.#drop(path, kept);
      kept = undefined;
    }
    if (kept === undefined) {
      kept = { opened: openFile(path), users: 0, since: this.#now(), closing: false };
      this.#kept.set(path, kept);
      for (const [oldest, one] of this.#kept) {
        if (this.#kept.size <= mostKept) break;
        this.#drop(oldest, one);
      }
    }
    const used = kept;
    used.users++;
    try {
      const file = await used.opened;
      return { ...file, release: () => this.#release(used) };
    } catch (cause) {
      if (this.#kept.get(path) === used) this.#kept.delete(path);
      throw cause;
    }
  }

  /** Closes what nobody uses; the rest when it is released. Nothing is kept that was opened longer ago than `longestMs` where this is called now and then. */
  sweep(all = false): void {
    for (const [path, kept] of this.#kept) if (all || this.#now() - kept.since > longestMs) this.#drop(path, kept);
  }

  #drop(path: string, kept: Kept): void {
    this.#kept.delete(path);
    kept.closing = true;
    if (kept.users === 0) close(kept);
  }

  #release(kept: Kept): void {
    kept.users--;
    if (kept.closing && kept.users === 0) close(kept);
  }
}

async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT" || basename(path) !== "content.wim") throw cause;
    return undefined;
  });
  if (handle === undefined) return openShared(dirname(path));
  try {
    return { handle, size: (await handle.stat()).size };
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

/** A version's content.wim whose data lies in part with a newer version. */
async function openShared(folder: string): Promise<OpenFile> {
  const source = await openStoredSource(folder);
  const read = async (buffer: Buffer, offset: number, length: number, position: number) => {
    const bytesRead = Math.max(0, Math.min(length, source.size - position));
    if (bytesRead > 0) await source.readInto?.(buffer.subarray(offset, offset + bytesRead), position);
    return { bytesRead };
  };
  return { handle: { read, close: () => source.close() }, size: source.size };
}

function close({ opened }: Kept): void {
  void opened.then(({ handle }) => handle.close()).catch(() => undefined);
}
