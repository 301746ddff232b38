import { en } from "./en.ts";
import type { Texts } from "./en.ts";
import { fr } from "./fr.ts";

export const languages = { en, fr } as const satisfies Record<string, Texts>;
export type Language = keyof typeof languages;

/** The language of a folder of Windows' boot images: a locale's number in hexadecimal, or its name; undefined where it is none of ours. */
export function languageOfFolder(folder: string): Language | undefined {
  const name = folder.trim().toLowerCase();
  // The last ten bits of a locale's number are its language (MS-LCID): 0x09 English, 0x0c French.
  const base = /^(0x)?[0-9a-f]{4}$/.test(name) ? { 0x09: "en", 0x0c: "fr" }[Number.parseInt(name.replace("0x", ""), 16) & 0x3ff] : name.split("-")[0];
  return base === "en" || base === "fr" ? base : undefined;
}

/** The language of a media's tag, such as `fr` or `fr-CH`; English where it is none of ours. */
export function languageOf(tag: string): Language {
  const base = tag.split("-")[0]?.toLowerCase() ?? "";
  return base === "fr" ? "fr" : "en";
}
