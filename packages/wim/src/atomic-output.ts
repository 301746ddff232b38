import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { WimError } from "./error.ts";
import { ioGuard } from "./source.ts";

const beingWritten = new Set<string>();

/**
 * Writes a file under another name beside its own and renames it when all of it is on the disk: a failed or aborted write
 * leaves nothing, and an older file of that name stays until then. `onWritten` may read the file while the disk takes it; where it fails, so does the write.
 */
export async function writeAtomically<T>(outputPath: string, write: (file: FileHandle, partial: string) => Promise<T>, onWritten?: (result: T) => Promise<void>): Promise<T> {
  const partial = join(dirname(outputPath), `.${basename(outputPath)}.partial-${process.pid}`);
  if (beingWritten.has(partial)) throw new WimError("PRESTAGE_WIM_PLAN", `${outputPath} is being built already. Wait for that build to end.`);
  beingWritten.add(partial);
  try {
    await rm(partial, { force: true });
    const file = await ioGuard(`Cannot make ${partial}`, () => open(partial, "wx+"));
    try {
      const result = await write(file, partial);
      const settled = await Promise.allSettled([ioGuard(`Cannot write ${partial}`, () => file.sync()), onWritten?.(result)]);
      for (const one of settled) if (one.status === "rejected") throw one.reason;
      await ioGuard(`Cannot make ${outputPath}`, () => rename(partial, outputPath));
      await syncDirectory(dirname(outputPath));
      return result;
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    beingWritten.delete(partial);
  }
}

/** A renamed file survives a power cut only when its directory was synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await ioGuard(`Cannot open ${path}`, () => open(path, "r"));
  try {
    await ioGuard(`Cannot sync ${path}`, () => directory.sync());
  } finally {
    await directory.close();
  }
}
