import { chmod, chown, mkdir, open, rm, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { variableNameSchema } from "@prestage/media/schema";

export interface NamedValue { name: string; value: string }

/** What a command may add, in bytes. */
const mostAdded = 1024 * 1024;

/** In a command's PATH: `prestage-variable NAME` prints a variable, `prestage-variable NAME VALUE` sets it. */
const helper = `#!/bin/sh
# prestage-variable NAME         prints the variable's value
# prestage-variable NAME VALUE   sets it, one line
case $# in
  1) wanted=$1 awk '{ at = index($0, "="); if (toupper(substr($0, 1, at - 1)) == toupper(ENVIRON["wanted"])) value = substr($0, at + 1) } END { print value }' "$PRESTAGE_VARIABLES" ;;
  2) printf '%s=%s\\n' "$1" "$2" >> "$PRESTAGE_VARIABLES" ;;
  *) echo "usage: prestage-variable NAME [VALUE]" >&2; exit 2 ;;
esac
`;

/**
 * The same for Windows: cmd.exe hands the words over as they were given, and Node reads them (a batch file calls it by `call`). What is in the file is not
 * looked at twice by cmd.exe.
 */
const windowsHelper = `import { appendFileSync, readFileSync } from "node:fs";
const [name, value, ...more] = process.argv.slice(2);
const path = process.env.PRESTAGE_VARIABLES;
if (name === undefined || more.length > 0) {
  console.error("usage: prestage-variable NAME [VALUE]");
  process.exitCode = 2;
} else if (value !== undefined) {
  appendFileSync(path, name + "=" + value + "\\n");
} else {
  const found = readFileSync(path, "utf8").split(/\\r?\\n/).findLast((line) => line.slice(0, Math.max(0, line.indexOf("="))).toUpperCase() === name.toUpperCase());
  console.log(found === undefined ? "" : found.slice(found.indexOf("=") + 1));
}
`;

/** What lies in the folder of programs, by name. `node` is a path that Windows knows; a percent sign in it would be a variable's. */
export function variablePrograms(platform: NodeJS.Platform, node: string): Record<string, string> {
  if (platform !== "win32") return { "prestage-variable": helper };
  return { "prestage-variable.cmd": `@setlocal DisableDelayedExpansion\r\n@"${node.replaceAll("%", "%%")}" "%~dp0prestage-variable.mjs" %*\r\n`, "prestage-variable.mjs": windowsHelper };
}

/** The variables as a command finds them, in place of the reference's Microsoft.SMS.TSEnvironment (features.md F206). */
export interface VariablesFile {
  environment: { PRESTAGE_VARIABLES: string };
  /** A folder for the PATH. */
  programs: string;
  /** The last value of each variable that is not as it was. A line that is none, or that there is too much, is given to `refused`, which throws. */
  changed: (refused: (line: string) => never) => Promise<NamedValue[]>;
  remove: () => Promise<void>;
}

/**
 * Writes the variables and the program into a folder of root's alone, made here. Where the command runs as another account, that one may enter the folder and
 * write the file; what it set is then read from the very file that was made, whatever it has laid at its path by then.
 */
export async function openVariablesFile(folder: string, variables: readonly NamedValue[], account?: { uid: number; gid: number }, platform: NodeJS.Platform = process.platform): Promise<VariablesFile> {
  const path = join(folder, "variables");
  const programs = join(folder, "bin");
  await mkdir(programs, { recursive: true, mode: 0o700 });
  const oneLine = (value: string) => value.replace(/[\r\n]+/g, " ");
  const written = variables.map(({ name, value }) => `${name}=${oneLine(value)}\n`).join("");
  await writeFile(path, written, { mode: 0o600 });
  const files = variablePrograms(platform, process.execPath);
  for (const [name, text] of Object.entries(files)) await writeFile(join(programs, name), text, { mode: 0o700 });
  const held = account === undefined ? undefined : await open(path, "r");
  if (account !== undefined) {
    await chown(path, account.uid, account.gid);
    for (const one of [folder, programs, ...Object.keys(files).map((name) => join(programs, name))]) await chmod(one, 0o755);
  }
  const before = new Map(variables.map(({ name, value }) => [name.toUpperCase(), oneLine(value)]));
  const own = new Set(written.split("\n"));
  return {
    environment: { PRESTAGE_VARIABLES: path }, programs,
    changed: async (refused) => {
      const values = new Map<string, NamedValue>();
      const text = await readStart(held ?? path, Buffer.byteLength(written) + mostAdded);
      // A batch file's `echo NAME=VALUE >> file` ends a line in two.
      for (const line of text?.split(/\r?\n/) ?? [refused(`more than ${mostAdded} bytes`)]) {
        if (line === "") continue;
        const at = line.indexOf("=");
        const [name, value] = [line.slice(0, at), line.slice(at + 1)];
        // What was written at first may be longer than a variable may be set to, and read-only.
        const allowed = own.has(line) || (at > 0 && variableNameSchema.safeParse(name).success && !name.startsWith("_") && value.length <= 4000);
        if (!allowed) refused(line);
        values.set(name.toUpperCase(), { name, value });
      }
      return [...values.values()].filter(({ name, value }) => before.get(name.toUpperCase()) !== value);
    },
    remove: async () => {
      await held?.close();
      // What the account can change is removed with the place it lies in.
      if (account === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A file's text; undefined where it has more bytes than that. It may still grow while it is read: no more than it had at first is. */
async function readStart(file: FileHandle | string, limit: number): Promise<string | undefined> {
  const handle = typeof file === "string" ? await open(file, "r") : file;
  try {
    const { size } = await handle.stat();
    if (size > limit) return undefined;
    const bytes = Buffer.alloc(size);
    let length = 0;
    for (let got = -1; got !== 0 && length < size; length += got) got = (await handle.read(bytes, length, size - length, length)).bytesRead;
    return bytes.toString("utf8", 0, length);
  } finally {
    if (typeof file === "string") await handle.close();
  }
}
