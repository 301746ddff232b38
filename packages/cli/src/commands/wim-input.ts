import { openAnyWim, openAnyWimFile, openHttpSource } from "@prestage/wim";
import type { AnyWim } from "@prestage/wim";
import { optionalText, texts } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";

/** Flags of every command that reads a WIM. */
export const wimFlags = { ref: texts("A WIM that holds what a delta leaves out; may be given several times", "FILE") } as const;
export type WimFlags = { ref?: string[] }
export const imageFlag = (brief: string) => optionalText(brief, "IMAGE");

/** Opens a WIM by path (of a split set any part) or by address, with its references, for as long as `use` takes. */
export async function withWim<T>(context: Context, input: string | readonly string[], flags: WimFlags, use: (wim: AnyWim) => Promise<T>): Promise<T> {
  const references: AnyWim[] = [];
  try {
    for (const reference of flags.ref ?? []) references.push(await open(context, reference, []));
    const wim = await open(context, input, references);
    try {
      return await use(wim);
    } finally {
      await wim.close();
    }
  } finally {
    for (const reference of references) await reference.close();
  }
}

async function open(context: Context, input: string | readonly string[], references: readonly AnyWim[]): Promise<AnyWim> {
  if (typeof input !== "string" || !/^https?:\/\//i.test(input)) return await openAnyWimFile(input, { references });
  return await openAnyWim(await openHttpSource(input, { signal: context.signal }), { references });
}

/** An image by number or by name; 1 where the WIM has one image only. */
export function imageIndex(wim: AnyWim, text: string | undefined): number {
  if (text === undefined) {
    if (wim.imageCount === 1) return 1;
    throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `The WIM has ${wim.imageCount} images. Say which: a number, or one of ${wim.xml.images.map(({ name }) => JSON.stringify(name)).slice(0, 20).join(", ")}.`);
  }
  const named = wim.xml.images.find(({ name }) => name === text);
  if (named !== undefined) return named.index;
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= wim.imageCount) return Number(text);
  throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `There is no image ${JSON.stringify(text)}: the WIM has ${wim.imageCount}. \`prestage wim info\` shows them.`);
}

/** A name as it can be shown on a terminal: control characters and halves of characters are escaped. */
export function shown(name: string): string {
  // eslint-disable-next-line no-control-regex -- these are what a terminal would obey
  return name.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\\]|\p{Surrogate}/gu, (character) => (character === "\\" ? "\\\\" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`));
}

/** ISO time of 100 ns since 1601; undefined where it is out of a date's range. */
export function isoTime(time: bigint | undefined): string | undefined {
  if (time === undefined) return undefined;
  const date = new Date(Number((time - 116_444_736_000_000_000n) / 10_000n));
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
