import type { SecretScope } from "@prestage/contract";
import { setSecretRequestSchema } from "@prestage/contract";
import { z } from "zod";
import { optionalText, texts } from "./command.ts";
import type { Context } from "./context.ts";
import { CliError } from "./error.ts";
import { readSecretFile, readSecretLines } from "./read-secret.ts";
import type { SiteClient } from "./site-client.ts";

/** Flags of every command that makes or changes what a secret variable can belong to. */
export const secretFlags = {
  secretVariable: texts("A secret variable; its value is asked for, or read from standard input, one a line. It stays at the site, for steps that name it; may be repeated", "NAME"),
  secretFile: optionalText("Take the values of secret variables from this file of NAME=VALUE lines", "FILE"),
};
export type SecretFlags = { secretVariable?: readonly string[]; secretFile?: string }

/** The secrets a command was given, their values read before anything is changed. @throws CliError PRESTAGE_CLI_NO_SECRET */
export async function readSecrets(context: Context, flags: SecretFlags): Promise<{ name: string; value: string }[]> {
  const names = flags.secretVariable ?? [];
  if (names.length === 0) return [];
  for (const name of names) setSecretRequestSchema.shape.name.parse(name);
  const file = flags.secretFile === undefined ? undefined : await readSecretFile(flags.secretFile);
  const typed = file === undefined ? await readSecretLines(context, names.map((name) => `Value of ${name}`)) : [];
  return names.map((name, i) => {
    const value = file === undefined ? typed[i] : file.get(name.toLowerCase());
    if (value === undefined) throw new CliError("PRESTAGE_CLI_NO_SECRET", `Expected a line ${name}=VALUE in ${flags.secretFile ?? "standard input"}; found none.`);
    return { name, value };
  });
}

export async function sendSecrets(client: SiteClient, scope: SecretScope, ownerId: string, secrets: readonly { name: string; value: string }[]): Promise<void> {
  for (const { name, value } of secrets) await client.call("PUT", "/secrets", z.undefined(), { scope, ownerId, name, value });
}
