import { LabError } from "./error.ts";

/** What a crashing kernel writes. Not "soft lockup": on a busy host that is an emulated processor that had to wait, and it goes on. */
const crashPatterns: readonly RegExp[] = [
  /Kernel panic - not syncing/,
  /\bBUG: (unable to handle|kernel NULL|scheduling|Bad page)/,
  /list_(add|del) corruption/,
  /double fault: 0000/,
  /general protection fault.*0000/,
  /Oops: 0{0,4}[0-9]/,
];

/** The line in which a kernel says that it crashed, if there is one. */
export function findGuestCrash(line: string): string | undefined {
  return crashPatterns.some((pattern) => pattern.test(line)) ? line.trim() : undefined;
}

/**
 * Tries again, once, when a guest's kernel crashed: emulators have done that to sound guests. Anything else that goes
 * wrong is never tried again.
 */
export async function retryOnGuestCrash<T>(attempt: (number: 1 | 2) => Promise<T>, onCrash: (error: LabError) => void): Promise<T> {
  try {
    return await attempt(1);
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== "PRESTAGE_LAB_GUEST_CRASHED") throw error;
    onCrash(error);
    return attempt(2);
  }
}
