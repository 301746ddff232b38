import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Every file below a folder, with its path, in the order of the names: what a number at a name's beginning puts first comes first. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).toSorted();
}
