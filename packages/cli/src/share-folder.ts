import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { maximumXmlBytes } from "@prestage/sequence/import";
import { CliError } from "./error.ts";

/** A deployment share as a folder: names without case, as Windows has them; links are not followed. */
export class ShareFolder {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  /** The path of a file or folder below the share, names joined by `/`; undefined where there is none. */
  async find(path: string): Promise<string | undefined> {
    let at = this.root;
    for (const name of path.split("/")) {
      const names = await readdir(at).catch(() => []);
      const found = names.find((one) => one === name) ?? names.find((one) => one.toLowerCase() === name.toLowerCase());
      if (found === undefined || found === "." || found === "..") return undefined;
      at = join(at, found);
      const status = await lstat(at);
      if (!status.isFile() && !status.isDirectory()) return undefined;
    }
    return at;
  }

  /** A file's bytes; undefined where there is none. @throws CliError PRESTAGE_CLI_FILE_UNREADABLE */
  async read(path: string): Promise<Buffer | undefined> {
    const found = await this.find(path);
    if (found === undefined) return undefined;
    const { size } = await lstat(found);
    if (size > maximumXmlBytes) throw new CliError("PRESTAGE_CLI_FILE_UNREADABLE", `Expected at most ${maximumXmlBytes} bytes in ${found}; found ${size}. Check the share.`);
    return readFile(found);
  }
}
