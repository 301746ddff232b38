import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** A path below the root of a mounted Windows volume whatever the case of its names is there; undefined: it is not there. Links are not followed. */
export async function windowsPath(root: string, path: string): Promise<string | undefined> {
  let at = root;
  for (const part of path.split("/")) {
    const status = await lstat(at).catch(() => undefined);
    if (status?.isDirectory() !== true) return undefined;
    const names = await readdir(at);
    const found = names.find((name) => name === part) ?? names.find((name) => name.toUpperCase() === part.toUpperCase());
    if (found === undefined) return undefined;
    at = join(at, found);
  }
  return at;
}
