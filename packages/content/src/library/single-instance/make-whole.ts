import { createHash } from "node:crypto";
import { open, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../../durable-files.ts";
import { ContentError } from "../../error.ts";
import { sourceOfFile } from "../../fetch/file-source.ts";
import { settle } from "./dependents.ts";
import { isThere, readShared } from "./shared-wim.ts";
import { openStoredSource } from "./stored-source.ts";

/**
 * Puts a version's content.wim together again as one file, for what needs a path to it. Nothing to do where it is whole.
 * @throws ContentError PRESTAGE_CONTENT_DAMAGED
 */
export async function makeWhole(root: string, contentId: string, signal?: AbortSignal): Promise<void> {
  const folder = join(root, "content", contentId);
  const path = join(folder, "content.wim");
  if (await isThere(path)) return;
  const shared = await readShared(folder);
  if (shared === undefined) return;
  const source = await openStoredSource(folder);
  const temporary = `${path}.partial`;
  try {
    const hash = createHash("sha256");
    const file = await open(temporary, "w", 0o644);
    try {
      for await (const bytes of sourceOfFile(source)) {
        signal?.throwIfAborted();
        hash.update(bytes);
        await file.write(bytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const found = hash.digest("hex");
    if (found !== shared.sha256) throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected content ${contentId} to have SHA-256 ${shared.sha256} in the library; found ${found}. Validate the library, and import again what is damaged.`);
    // It never changed: what was published of it is as new as it is.
    const { atime, mtime } = await stat(join(folder, "storage.json"));
    await utimes(temporary, atime, mtime);
    await rename(temporary, path);
    await syncPath(folder);
  } finally {
    await source.close();
    await rm(temporary, { force: true });
  }
  await settle(root, contentId);
}
