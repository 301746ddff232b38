import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readBounded } from "@prestage/content";
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

/** The variables as a command finds them, in place of the reference's Microsoft.SMS.TSEnvironment (features.md F206). */
export interface VariablesFile {
  environment: { PRESTAGE_VARIABLES: string };
  /** A folder for the PATH. */
  programs: string;
  /** The last value of each variable that is not as it was. A line that is none is given to `refused`, which throws. */
  changed: (refused: (line: string) => never) => Promise<NamedValue[]>;
  remove: () => Promise<void>;
}

/** Writes the variables and the program into a folder of root's alone, made here. */
export async function openVariablesFile(folder: string, variables: readonly NamedValue[]): Promise<VariablesFile> {
  const path = join(folder, "variables");
  const programs = join(folder, "bin");
  await mkdir(programs, { recursive: true, mode: 0o700 });
  const oneLine = (value: string) => value.replace(/[\r\n]+/g, " ");
  await writeFile(path, variables.map(({ name, value }) => `${name}=${oneLine(value)}\n`).join(""), { mode: 0o600 });
  await writeFile(join(programs, "prestage-variable"), helper, { mode: 0o700 });
  const before = new Map(variables.map(({ name, value }) => [name.toUpperCase(), oneLine(value)]));
  const written = await readFile(path, "utf8");
  const own = new Set(written.split("\n"));
  return {
    environment: { PRESTAGE_VARIABLES: path }, programs,
    changed: async (refused) => {
      const values = new Map<string, NamedValue>();
      for (const line of (await readBounded(path, Buffer.byteLength(written) + mostAdded)).toString("utf8").split("\n")) {
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
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
