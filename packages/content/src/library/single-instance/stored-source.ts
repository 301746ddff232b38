import { basename, dirname, join } from "node:path";
import { openFileSource, openWim, openWimFile, WimError } from "@prestage/wim";
import type { RandomAccessSource, WimFile } from "@prestage/wim";
import { isThere, readShared } from "./shared-wim.ts";
import type { Segment, SharedWim } from "./shared-wim.ts";

/** While it is opened, a version may become whole or be shared anew; then it is looked for once more. */
const mostTries = 5;

/**
 * The bytes of a version's content.wim, wherever they lie. Files stay open: nothing that happens to the library afterwards changes what is read.
 * @throws ContentError PRESTAGE_CONTENT_DAMAGED; WimError PRESTAGE_WIM_IO where there is none
 */
export async function openStoredSource(folder: string): Promise<RandomAccessSource> {
  for (let attempt = 1; ; attempt++) {
    try {
      const shared = (await isThere(join(folder, "content.wim"))) ? undefined : await readShared(folder);
      return shared === undefined ? await openFileSource(join(folder, "content.wim")) : await openSegments(shared, (file) => join(dirname(folder), file));
    } catch (cause) {
      const gone = cause instanceof WimError && cause.code === "PRESTAGE_WIM_IO" && cause.cause instanceof Error && "code" in cause.cause && cause.cause.code === "ENOENT";
      if (!gone || attempt === mostTries) throw cause;
    }
  }
}

/** A file of a version in the library; content.wim may not lie there as one. @throws ContentError PRESTAGE_CONTENT_DAMAGED; WimError PRESTAGE_WIM_IO */
export async function openLibraryFile(path: string): Promise<RandomAccessSource> {
  return basename(path) === "content.wim" ? openStoredSource(dirname(path)) : openFileSource(path);
}

/** A version's WIM. */
export async function openStoredWim(version: { readonly folder: string; readonly wimPath: string }): Promise<WimFile> {
  if (await isThere(version.wimPath)) {
    const whole = await openWimFile(version.wimPath).catch(async (cause: unknown) => {
      if (await isThere(version.wimPath)) throw cause;
      return undefined;
    });
    if (whole !== undefined) return whole;
  }
  return openWim(await openStoredSource(version.folder));
}

/** What a document describes. `pathOf`: where its files lie. @throws WimError */
export async function openSegments({ size, segments }: SharedWim, pathOf: (file: string) => string): Promise<RandomAccessSource> {
  const files = new Map<string, RandomAccessSource>();
  const close = async () => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const { file } of segments) if (!files.has(file)) files.set(file, await openFileSource(pathOf(file)));
  } catch (cause) {
    await close();
    throw cause;
  }
  const readInto = async (target: Buffer, offset: number): Promise<void> => {
    for (const { file, from, length, at } of segmentsOf(segments, size, offset, target.length)) {
      const part = target.subarray(at - offset, at - offset + length);
      await files.get(file)?.readInto?.(part, from);
    }
  };
  return {
    size, readInto, close,
    read: async (offset, length) => {
      checkRange(size, offset, length);
      const bytes = Buffer.allocUnsafeSlow(length);
      await readInto(bytes, offset);
      return bytes;
    },
  };
}

/** The parts of the segments that hold bytes [offset, offset + length), in order. @throws WimError PRESTAGE_WIM_TRUNCATED */
export function segmentsOf(segments: readonly Segment[], size: number, offset: number, length: number): Segment[] {
  checkRange(size, offset, length);
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const segment = segments[middle];
    if (segment !== undefined && segment.at + segment.length <= offset) low = middle + 1;
    else high = middle;
  }
  const found: Segment[] = [];
  for (let at = offset; at < offset + length; low++) {
    const segment = segments[low];
    if (segment === undefined) break;
    const skip = at - segment.at;
    const part = Math.min(segment.length - skip, offset + length - at);
    found.push({ file: segment.file, from: segment.from + skip, length: part, at });
    at += part;
  }
  return found;
}

function checkRange(size: number, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset > size - length) throw new WimError("PRESTAGE_WIM_TRUNCATED", `Bytes ${offset} to ${offset + length} were asked of content of ${size} bytes: it is damaged. Validate the content at the site.`);
}
