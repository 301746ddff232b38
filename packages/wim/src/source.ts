import { open } from "node:fs/promises";
import { WimError } from "./error.ts";

/** Bytes that can be read at any place: a file, a range of a web server, memory. */
export interface RandomAccessSource {
  readonly size: number;
  /** Exactly `length` bytes from `offset`, or it throws. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same into the caller's buffer, where the source can. */
  readInto?(target: Buffer, offset: number): Promise<void>;
  /** A path another process can open to reach the very file that is open here. */
  readonly descriptorPath?: string;
  /** The same for a file in pieces, one behind the other: each but the last of one size. */
  readonly descriptorPaths?: readonly { readonly path: string; readonly size: number }[];
  close(): Promise<void>;
}

/** Positional reads on one descriptor. Throws PRESTAGE_WIM_IO. */
export async function openFileSource(path: string): Promise<RandomAccessSource> {
  const file = await ioGuard(`Cannot open ${path}`, () => open(path, "r"));
  try {
    const { size } = await ioGuard(`Cannot open ${path}`, () => file.stat());
    const readInto = async (target: Buffer, offset: number): Promise<void> => {
      checkRange(size, offset, target.length);
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await ioGuard(`Cannot read ${path}`, () => file.read(target, done, target.length - done, offset + done));
        if (bytesRead === 0) throw truncated(path, offset + target.length, offset + done);
        done += bytesRead;
      }
    };
    return {
      size,
      readInto,
      read: async (offset, length) => {
        checkRange(size, offset, length);
        const bytes = Buffer.allocUnsafeSlow(length);
        await readInto(bytes, offset);
        return bytes;
      },
      ...descriptorPaths(file.fd, size),
      close: () => ioGuard(`Cannot close ${path}`, () => file.close()),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function descriptorPaths(descriptor: number, size: number): Pick<RandomAccessSource, "descriptorPath" | "descriptorPaths"> {
  if (process.platform !== "linux") return {};
  const path = `/proc/${process.pid}/fd/${descriptor}`;
  return { descriptorPath: path, descriptorPaths: [{ path, size }] };
}

/** A source over bytes in memory. */
export function memorySource(bytes: Uint8Array): RandomAccessSource {
  return {
    size: bytes.length,
    read: async (offset, length) => {
      checkRange(bytes.length, offset, length);
      return bytes.slice(offset, offset + length);
    },
    close: async () => {},
  };
}

/** Runs one system call; its failure becomes PRESTAGE_WIM_IO with the cause kept. */
export async function ioGuard<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof WimError) throw error;
    throw new WimError("PRESTAGE_WIM_IO", `${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Refuses a range that is not wholly inside the source, before anything is allocated for it. */
export function checkRange(size: number, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset > size - length) {
    throw new WimError("PRESTAGE_WIM_TRUNCATED", `Bytes ${offset} to ${offset + length} were asked of a file of ${size} bytes: it is cut short or damaged. Get it again from its source.`);
  }
}

function truncated(path: string, expected: number, found: number): WimError {
  return new WimError("PRESTAGE_WIM_TRUNCATED", `${path} should reach byte ${expected} and ends at ${found}. Get it again from its source.`);
}
