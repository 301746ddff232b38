import { en } from "./en.ts";
import type { Texts } from "./en.ts";
import { fr } from "./fr.ts";

export const languages = { en, fr } as const satisfies Record<string, Texts>;
export type Language = keyof typeof languages;

/** The language of a media's tag, such as `fr` or `fr-CH`; English where it is none of ours. */
export function languageOf(tag: string): Language {
  const base = tag.split("-")[0]?.toLowerCase() ?? "";
  return base === "fr" ? "fr" : "en";
}
