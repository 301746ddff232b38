import { LabError } from "./error.ts";

/** QEMU's names of keys (QEMU: qapi/ui.json, QKeyCode), as they lie on a US keyboard. */
const plain: Record<string, string> = {
  " ": "spc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon", "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash",
  "\n": "ret", "\r": "ret", "\t": "tab", "\b": "backspace", "\u001b": "esc",
};
const shifted: Record<string, string> = {
  "!": "1", "@": "2", "#": "3", $: "4", "%": "5", "^": "6", "&": "7", "*": "8", "(": "9", ")": "0", _: "minus", "+": "equal", "{": "bracket_left", "}": "bracket_right", ":": "semicolon", '"': "apostrophe", "~": "grave_accent",
  "|": "backslash", "<": "comma", ">": "dot", "?": "slash",
};

/**
 * The keys pressed together for one character on a US keyboard.
 * @throws LabError PRESTAGE_LAB_KEY_UNKNOWN
 */
export function keysFor(character: string): string[] {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ["shift", character.toLowerCase()];
  const key = plain[character];
  if (key !== undefined) return [key];
  const base = shifted[character];
  if (base !== undefined) return ["shift", base];
  throw new LabError("PRESTAGE_LAB_KEY_UNKNOWN", `Expected characters of a US keyboard; found one (U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}) that has no key there.`);
}
