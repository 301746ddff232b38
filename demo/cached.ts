import { createHash } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Where heavy artifacts are kept, outside the checkout. */
export function cacheRoot(): string {
  const root = process.env["PRESTAGE_CACHE"];
  if (root === undefined) throw new Error("Expected PRESTAGE_CACHE, which `npm run` sets; found none. Start this with npm run demo or npm test.");
  return root;
}

/**
 * A folder made once per set of inputs: made under a temporary name and renamed, so that what is there is whole.
 * `inputs` is everything the result depends on.
 */
export async function cachedFolder(name: string, inputs: unknown, make: (folder: string) => Promise<void>): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 16);
  const folder = join(cacheRoot(), "content", `${name}-${key}`);
  if (await stat(folder).then(() => true, () => false)) return folder;
  const partial = `${folder}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    await make(partial);
    await rename(partial, folder).catch(async (cause: unknown) => {
      // Another process made the same meanwhile.
      if (!(await stat(folder).then(() => true, () => false))) throw cause;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}
