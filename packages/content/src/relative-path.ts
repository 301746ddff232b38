import { ContentError } from "./error.ts";

const windowsDeviceName = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

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
    if (Buffer.byteLength(part) > 255) return "a part is longer than 255 bytes";
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[\u0000-\u001f\\:*?"<>|]/.test(part)) return `the part ${JSON.stringify(part)} has a character Windows cannot hold`;
    if (/[. ]$/.test(part)) return `the part ${JSON.stringify(part)} ends in a dot or blank`;
    if (windowsDeviceName.test(part)) return `the part ${JSON.stringify(part)} is a device name on Windows`;
  }
  return undefined;
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
