import { nameFault } from "@prestage/wim";
import { ContentError } from "../error.ts";


/**
 * Refuses every path that could leave its folder, or that Windows or Linux cannot hold.
 * @throws ContentError PRESTAGE_CONTENT_PATH_UNSAFE
 */
export function checkRelativePath(path: string): string {
  const reason = whyUnsafe(path);
  if (reason !== undefined) throw new ContentError("PRESTAGE_CONTENT_PATH_UNSAFE", `Expected a relative path below its folder; found ${JSON.stringify(path)}: ${reason}.`);
  return path;
}

function whyUnsafe(path: string): string | undefined {
  if (path.length === 0 || Buffer.byteLength(path) > 4096) return "it is empty or longer than 4,096 bytes";
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (path.startsWith("/")) return "it is absolute";
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return `it has the part ${JSON.stringify(part)}`;
    const fault = nameFault(part, "linux") ?? nameFault(part, "windows");
    if (fault !== undefined) return `the part ${JSON.stringify(part)} is a name Windows or Linux cannot hold (${fault})`;
  }
  return undefined;
}

/**
 * Checks the files and folders of one tree: safe paths, no twins, and no file where another path needs a folder.
 * @throws ContentError PRESTAGE_CONTENT_PATH_UNSAFE
 */
export function checkTree(files: readonly string[], directories: readonly string[]): void {
  const paths = [...directories, ...files];
  for (const path of paths) checkRelativePath(path);
  checkNoCaseTwins(paths);
  const folded = new Set(files.map((path) => path.toUpperCase()));
  for (const path of paths) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      if (folded.has(path.slice(0, at).toUpperCase())) throw new ContentError("PRESTAGE_CONTENT_PATH_UNSAFE", `Expected ${JSON.stringify(path.slice(0, at))} to be a folder, since ${JSON.stringify(path)} lies in it; found a file.`);
    }
  }
}

/** Refuses two paths that are one on a file system that ignores case. @throws ContentError PRESTAGE_CONTENT_PATH_UNSAFE */
export function checkNoCaseTwins(paths: Iterable<string>): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const folded = path.toUpperCase();
    const twin = seen.get(folded);
    if (twin !== undefined) throw new ContentError("PRESTAGE_CONTENT_PATH_UNSAFE", `Expected paths that differ by more than case; found ${JSON.stringify(twin)} and ${JSON.stringify(path)}. Rename one: Windows would see one file.`);
    seen.set(folded, path);
  }
}
