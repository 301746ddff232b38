import { CliError } from "../error.ts";

/** `--variable NAME=VALUE`, any number of times. @throws CliError PRESTAGE_CLI_BAD_ARGUMENT */
export function variables(given: readonly string[] | undefined): { name: string; value: string }[] {
  return (given ?? []).map((text) => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected --variable NAME=VALUE; found ${JSON.stringify(text)}.`);
    return { name, value };
  });
}
