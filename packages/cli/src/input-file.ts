import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "./error.ts";

const largestInput = 64 * 1024 * 1024;

/** Reads a file the command line names. @throws CliError PRESTAGE_CLI_FILE_UNREADABLE */
export async function readInputFile(path: string, what: string): Promise<Buffer> {
  const unreadable = (found: string, cause?: unknown) => new CliError("PRESTAGE_CLI_FILE_UNREADABLE", `Expected ${what} at ${path}; found ${found}. Check the path.`, { cause });
  let status;
  try {
    status = await stat(path);
    if (status.isFile() && status.size <= largestInput) return await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    throw unreadable(code === "ENOENT" || code === "ENOTDIR" ? "nothing" : code === "EACCES" ? "a file you may not read" : `${String(code ?? cause)}`, cause);
  }
  throw unreadable(status.isDirectory() ? "a folder" : status.isFile() ? `${status.size} bytes, more than such a file ever has` : "no regular file");
}

/** The folder a file is to be written into. @throws CliError PRESTAGE_CLI_NO_FOLDER */
export async function requireFolderOf(output: string): Promise<void> {
  const folder = dirname(output);
  if (await stat(folder).then((status) => status.isDirectory(), () => false)) return;
  throw new CliError("PRESTAGE_CLI_NO_FOLDER", `Expected a folder ${folder} to write ${output} into; found none. Make it first, or choose another place.`);
}
