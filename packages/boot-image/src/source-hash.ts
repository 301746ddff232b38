import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Stands for this package's own code: what it makes must not be taken from a cache an older version filled. */
export async function sourceHash(): Promise<string> {
  const hash = createHash("sha256");
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) hash.update(name).update("\0").update(await readFile(join(import.meta.dirname, name)));
  return hash.digest("hex");
}
