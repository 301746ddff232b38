import { CliError } from "./error.ts";

/** The one thing whose id begins like this: lists print the first 16 digits. @throws CliError PRESTAGE_CLI_BAD_ARGUMENT */
export function byPrefix<T>(things: readonly T[], idOf: (thing: T) => string, prefix: string, what: string): T {
  const wanted = prefix.toLowerCase();
  const found = wanted.length < 4 ? [] : things.filter((thing) => idOf(thing).startsWith(wanted));
  const [first] = found;
  if (first === undefined || found.length > 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected the id of a ${what}, or at least 4 characters it alone begins with; ${found.length} begin with ${JSON.stringify(prefix)}. List them with \`prestage ${what} list\`.`);
  return first;
}
