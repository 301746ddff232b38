import { lstat, realpath } from "node:fs/promises";
import { join } from "node:path";
import { BootImageError } from "./error.ts";
import { runProgram } from "./run-program.ts";

/** Where Debian's packages put libraries; older packages are not yet moved under usr/. */
const libraryFolders = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib", "usr/lib", "lib64"];
const loader = "ld-linux-x86-64.so.2";

/**
 * The libraries a set of programs needs, as soname to path, found inside the unpacked packages. Never `ldd`: it runs
 * the file and finds this machine's libraries.
 */
export async function sharedLibraries(roots: readonly string[], programs: readonly string[], provided: ReadonlySet<string>, signal?: AbortSignal): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let wanted = new Set([...(await neededBy(programs, signal)), loader]);
  while (wanted.size > 0) {
    const added: string[] = [];
    for (const soname of wanted) {
      if (found.has(soname) || provided.has(soname)) continue;
      const path = await findLibrary(roots, soname);
      found.set(soname, path);
      added.push(path);
    }
    wanted = added.length === 0 ? new Set() : await neededBy(added, signal);
  }
  return found;
}

/** Reads the NEEDED entries of the dynamic sections. */
async function neededBy(files: readonly string[], signal: AbortSignal | undefined): Promise<Set<string>> {
  const text = await runProgram("objdump", ["-p", ...files], { signal });
  const needed = new Set<string>();
  for (const match of text.matchAll(/^\s+NEEDED\s+(\S+)$/gm)) if (match[1] !== undefined) needed.add(match[1]);
  return needed;
}

async function findLibrary(roots: readonly string[], soname: string): Promise<string> {
  for (const root of roots) {
    for (const folder of libraryFolders) {
      const path = join(root, folder, soname);
      if ((await lstat(path).catch(() => undefined)) === undefined) continue;
      const real = await realpath(path).catch(() => undefined);
      if (real?.startsWith(`${await realpath(root)}/`) === true) return real;
    }
  }
  throw new BootImageError("PRESTAGE_BOOT_IMAGE_FILE_MISSING", `The library ${soname} is needed by a program of the boot image and is in none of the unpacked packages. Name the package that holds it with --add-deb.`);
}
