import { closeSync, constants, fchmodSync, fchownSync, futimesSync, openSync, writeSync } from "node:fs";
import { WimError } from "./error.ts";

export interface FileMetadata {
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly accessed: number;
  readonly written: number;
}

export const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Makes a file of a few kilobytes by six system calls in a row: a tree has hundreds of thousands of them, and handing each call to another thread takes
 * ten times as long as the call. Owner before mode, as changing the owner drops set-user-ID; times last.
 */
export function writeSmallFile(place: string, what: string, bytes: Uint8Array, { owner, mode, accessed, written }: FileMetadata): void {
  try {
    const file = openSync(place, newFileFlags, 0o600);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
      fchmodSync(file, mode);
      futimesSync(file, accessed, written);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new WimError("PRESTAGE_WIM_IO", `Cannot make ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
