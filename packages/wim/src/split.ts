import { basename, dirname, extname, join } from "node:path";
import { writeAtomically } from "./atomic-output.ts";
import { blobEntrySize } from "./blob-table.ts";
import { WimError } from "./error.ts";
import { progressMeter, writePart, type ExportOptions } from "./export-images.ts";
import { planExport, type ExportContents, type ExportPlan } from "./export-plan.ts";
import { headerSize } from "./header.ts";
import { integritySpan } from "./integrity.ts";
import { copiedSize, type CopiedResource } from "./resource-copy.ts";
import { xmlOf } from "./xml-edit.ts";

export interface SplitResult {
  readonly parts: readonly { readonly path: string; readonly size: number }[];
}

/** The largest file FAT32 holds. */
export const fat32Limit = 2 ** 32 - 1;

/** The usual names: `name.swm`, `name2.swm`, `name3.swm`. */
export function partPath(firstPath: string, part: number): string {
  const extension = extname(firstPath);
  return part === 1 ? firstPath : join(dirname(firstPath), `${basename(firstPath, extension)}${part}${extension}`);
}

/**
 * Writes images as a split set of files of at most `partSize` bytes each. A resource is never cut: one that is larger than a
 * part is refused with PRESTAGE_WIM_SPLIT_SIZE before anything is written.
 */
export async function splitWim(plan: ExportPlan, firstPath: string, partSize: number, options: ExportOptions = {}): Promise<SplitResult> {
  if (!Number.isSafeInteger(partSize) || partSize < 2 ** 16) throw new WimError("PRESTAGE_WIM_PLAN", `A part size of ${partSize} bytes was asked for, expected at least 65536.`);
  const contents = await planExport(plan, options.signal);
  const groups = await dealBlobs(contents, partSize);
  const onCopied = progressMeter([...contents.blobs, ...contents.metadata], options);
  const parts: { path: string; size: number }[] = [];
  for (const [i, blobs] of groups.entries()) {
    const path = partPath(firstPath, i + 1);
    const size = await writeAtomically(path, async (file, partial) =>
      await writePart(file, partial, contents, { part: i + 1, parts: groups.length, blobs, bootIndex: plan.bootIndex ?? 0, integrity: plan.integrity !== false, signal: options.signal, onCopied }));
    parts.push({ path, size });
  }
  return { parts };
}

/** Fills one part after the other, in stored order; the first one begins with all metadata. */
async function dealBlobs(contents: ExportContents, partSize: number): Promise<CopiedResource[][]> {
  const fixed = headerSize + xmlOf(contents.imageElements, contents.otherElements, Number.MAX_SAFE_INTEGER).length + 12 + 20 * Math.ceil(partSize / integritySpan);
  let size = fixed;
  for (const item of contents.metadata) size += blobEntrySize + (await copiedSize(item, contents.form));
  if (size > partSize) throw tooLarge("The directory trees of the images", size, partSize);
  const groups: CopiedResource[][] = [[]];
  for (const blob of contents.blobs) {
    const more = blobEntrySize + (await copiedSize(blob, contents.form));
    if (fixed + more > partSize) throw tooLarge(`The data with SHA-1 ${blob.sha1}`, fixed + more, partSize);
    if (size + more > partSize) {
      groups.push([]);
      size = fixed;
    }
    groups.at(-1)!.push(blob);
    size += more;
  }
  return groups;
}

function tooLarge(what: string, needed: number, partSize: number): WimError {
  return new WimError(
    "PRESTAGE_WIM_SPLIT_SIZE",
    `${what} need a part of ${needed} bytes, ${partSize} were asked for, and a resource is never cut. Use larger parts on exFAT, NTFS or ext4, or cut the file itself into pieces: name the output NAME.wim.001.`,
  );
}
