import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { ContentError } from "../error.ts";
import { checkNoCaseTwins, checkRelativePath } from "../description/relative-path.ts";

export interface ScannedFile { path: string; size: number; executable: boolean }
export interface ScannedFolder { files: ScannedFile[]; directories: string[]; bytes: number }

const maximumEntries = 1_000_000;
const maximumDepth = 128;

/**
 * Lists a folder to import, sorted by path. Only plain files and directories are content:
 * a link could point outside, a device or socket has no bytes.
 * @throws ContentError PRESTAGE_CONTENT_SOURCE_UNSUPPORTED, PRESTAGE_CONTENT_SOURCE_EMPTY, PRESTAGE_CONTENT_PATH_UNSAFE
 */
export async function scanFolder(root: string, signal?: AbortSignal): Promise<ScannedFolder> {
  const files: ScannedFile[] = [];
  const directories: string[] = [];
  const open: string[] = [""];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    signal?.throwIfAborted();
    for await (const entry of await openFolder(join(root, path))) {
      const child = path === "" ? entry.name : `${path}/${entry.name}`;
      if (child.includes("\ufffd")) throw new ContentError("PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", `Expected names in UTF-8; found ${JSON.stringify(child)}. Rename it.`);
      checkRelativePath(child);
      if (files.length + directories.length >= maximumEntries || child.split("/").length > maximumDepth) {
        throw new ContentError("PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", `Expected at most ${maximumEntries} entries, ${maximumDepth} deep; found more at ${JSON.stringify(child)}.`);
      }
      if (entry.isDirectory()) {
        directories.push(child);
        open.push(child);
      } else if (entry.isFile()) {
        const status = await lstat(join(root, child));
        files.push({ path: child, size: status.size, executable: (status.mode & 0o111) !== 0 });
      } else {
        const what = entry.isSymbolicLink() ? "a symbolic link" : "a device, pipe or socket";
        throw new ContentError("PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", `Expected plain files and folders; found ${what}: ${JSON.stringify(child)}. Put the file itself there, or leave it out.`);
      }
    }
  }
  if (files.length === 0) throw new ContentError("PRESTAGE_CONTENT_SOURCE_EMPTY", `Expected at least one file below ${root}; found none.`);
  checkNoCaseTwins([...directories, ...files.map((file) => file.path)]);
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, directories: directories.sort(), bytes: files.reduce((sum, file) => sum + file.size, 0) };
}

async function openFolder(path: string) {
  try {
    return await opendir(path);
  } catch (cause) {
    throw new ContentError("PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", `Expected a readable folder; found: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
}
