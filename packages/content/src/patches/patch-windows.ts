import { longestPatchWindow } from "./patch-index.ts";

/** Longer files are patched in pieces of this size, so that making and applying a patch takes bounded memory. */
const pieceSize = longestPatchWindow / 2;

export interface PatchWindow { offset: number; length: number; fromOffset: number; fromLength: number }

/**
 * Which bytes of the old file each piece of the new one is made from: all of it where both are short enough, else those around the same
 * place, reckoned by the files' lengths.
 */
export function patchWindows(fromSize: number, size: number, longest = longestPatchWindow, piece = pieceSize): PatchWindow[] {
  if (fromSize <= longest && size <= longest) return [{ offset: 0, length: size, fromOffset: 0, fromLength: fromSize }];
  const windows: PatchWindow[] = [];
  for (let offset = 0; offset < size; offset += piece) {
    const length = Math.min(piece, size - offset);
    const fromLength = Math.min(longest, fromSize);
    const middle = ((offset + length / 2) / size) * fromSize;
    const fromOffset = Math.max(0, Math.min(fromSize - fromLength, Math.round(middle - fromLength / 2)));
    windows.push({ offset, length, fromOffset, fromLength });
  }
  return windows;
}
