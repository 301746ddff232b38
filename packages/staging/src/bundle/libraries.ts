import { access, realpath } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { StagingError } from "../error.ts";

/** The x86-64 loader of glibc, which starts each program of a bundle: nothing of the host's libc is needed. */
export const loader = "ld-linux-x86-64.so.2";

const libraryFolders = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/** What the C library opens by itself: the UTF-8 locale (names in a WIM), the old code pages (FAT's short names), e2fsprogs' defaults. */
export const dataFiles: readonly { from: string; to: string; optional?: true }[] = [
  { from: "/usr/lib/locale/C.utf8", to: "locale/C.utf8" },
  { from: "/usr/lib/x86_64-linux-gnu/gconv/IBM850.so", to: "gconv/IBM850.so" },
  { from: "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules", to: "gconv/gconv-modules" },
  { from: "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d", to: "gconv/gconv-modules.d", optional: true },
  { from: "/etc/mke2fs.conf", to: "mke2fs.conf", optional: true },
];

/** All libraries a set of programs needs, the loader among them, as soname to file on this machine. */
export async function findLibraries(programs: readonly string[], options: { signal?: AbortSignal | undefined }): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let wanted = new Set([...(await neededBy(programs, options)), loader]);
  while (wanted.size > 0) {
    const added: string[] = [];
    for (const soname of wanted) {
      if (found.has(soname)) continue;
      const path = await findLibrary(soname);
      found.set(soname, path);
      added.push(path);
    }
    wanted = added.length === 0 ? new Set() : await neededBy(added, options);
  }
  return found;
}

/** The NEEDED entries of the files' dynamic sections. */
async function neededBy(files: readonly string[], options: { signal?: AbortSignal | undefined }): Promise<Set<string>> {
  const { output } = await runProgram("objdump", ["-p", ...files], options);
  return new Set([...output.matchAll(/^\s+NEEDED\s+(\S+)$/gm)].map((match) => match[1] ?? ""));
}

async function findLibrary(soname: string): Promise<string> {
  for (const folder of libraryFolders) {
    const path = join(folder, soname);
    if (await access(path).then(() => true, () => false)) return realpath(path);
  }
  throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected the library ${soname}, which a program of the bundle needs, in ${libraryFolders.join(", ")}; found none. Make the bundle on Debian or Ubuntu, x86-64.`);
}
