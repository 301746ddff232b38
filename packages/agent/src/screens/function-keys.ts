import type { Tool } from "./overlay.ts";
import { textIn } from "./texts/en.ts";
import { languages } from "./texts/index.ts";
import type { Language } from "./texts/index.ts";

/** The function keys and what they do, for the bottom of a screen; none where nobody registered any: a program's own terminal. `password`: whether one is being typed, and shown. */
export function functionKeys(tools: Iterable<Tool>, language: Language, password: "hidden" | "shown" | undefined): string {
  const texts = languages[language];
  const offered = [...tools].filter((tool) => tool.hidden?.() !== true).map((tool) => [tool.number, textIn(texts, tool.label)] as const);
  if (offered.length === 0) return "";
  const show = password === undefined ? [] : [[4, password === "hidden" ? texts.keyShow : texts.keyHide] as const];
  const all = [[2, languages[language === "en" ? "fr" : "en"].ownName] as const, ...show, ...offered];
  return all.sort(([a], [b]) => a - b).map(([number, label]) => `F${number} ${label}`).join("   ");
}
