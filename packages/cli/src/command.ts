import { buildCommand } from "@stricli/core";
import type { BaseArgs, BaseFlags, Command, TypedCommandParameters } from "@stricli/core";
import type { Context } from "./context.ts";
import { failureOf } from "./failure.ts";

/** Flags of every command that talks to a site. */
export const siteFlags = {
  data: { kind: "parsed", parse: String, optional: true, brief: "The site's data directory (PRESTAGE_DATA)", placeholder: "DIR" },
  json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
} as const;
export type SiteFlags = { data?: string; json?: boolean }

export const jsonFlag = { json: siteFlags.json } as const;

interface CommandDefinition<Flags extends BaseFlags, Args extends BaseArgs> {
  brief: string;
  /** Shown under the brief by --help; ends in a line the user could type. */
  example: string;
  parameters: TypedCommandParameters<Flags, Args, Context>;
  run: (context: Context, flags: Flags, ...args: Args) => Promise<void>;
}

/** A command whose failure is one line with its stable code on stderr, or JSON where --json was given; exit code 1, or 130 after Ctrl-C. */
export function command<Flags extends BaseFlags, Args extends BaseArgs = []>(definition: CommandDefinition<Flags, Args>): Command<Context> {
  return buildCommand<Flags, Args, Context>({
    docs: { brief: definition.brief, fullDescription: `${definition.brief}.\n\nExample:\n  ${definition.example.replaceAll("\n", "\n  ")}` },
    parameters: definition.parameters,
    async func(flags, ...args) {
      try {
        await definition.run(this, flags, ...args);
      } catch (cause) {
        this.process.exitCode = this.signal.aborted ? 130 : 1;
        const { code, message } = this.signal.aborted ? { code: "PRESTAGE_CLI_INTERRUPTED", message: "Interrupted; nothing was left half-made." } : failureOf(cause);
        if (flags["json"] === true) this.process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
        else this.process.stderr.write(`prestage: ${message}\n${this.signal.aborted ? "" : `(${code})\n`}`);
        if (process.env["PRESTAGE_DEBUG"] !== undefined) this.process.stderr.write(`${cause instanceof Error ? cause.stack : ""}\n`);
      }
    },
  });
}

/** Reads a whole number; what is none is refused before anything is done. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new SyntaxError(`expected a whole number, found ${JSON.stringify(text)}`);
  return Number(text);
}

export const text = (brief: string, placeholder: string) => ({ kind: "parsed", parse: String, brief, placeholder }) as const;
export const optionalText = (brief: string, placeholder: string) => ({ kind: "parsed", parse: String, optional: true, brief, placeholder }) as const;
/** May be given any number of times. */
export const texts = (brief: string, placeholder: string) => ({ kind: "parsed", parse: String, optional: true, variadic: true, brief, placeholder }) as const;
export const flag = (brief: string) => ({ kind: "boolean", optional: true, withNegated: false, brief }) as const;
/** A flag's default where it was not given at all. */
export const one = (brief: string, placeholder: string) => ({ kind: "tuple", parameters: [{ parse: String, brief, placeholder }] }) as const;
