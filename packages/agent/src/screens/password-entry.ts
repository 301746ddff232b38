import { splitKeys } from "./keys.ts";

/** What is being typed at the password screen. */
export interface PasswordEntry { readonly typed: string; readonly sent: boolean }

const longestPassword = 128;

/** The entry after what a terminal sent: printable characters are added, Backspace takes one away, Ctrl-U all, Enter sends; what was pasted after it counts for nothing. Escape sequences are no characters. */
export function editPassword(entry: PasswordEntry, text: string): PasswordEntry {
  let { typed } = entry;
  for (const part of splitKeys(text)) {
    if (part === "\r" || part === "\n" || part === "\r\n") {
      if (typed !== "") return { typed, sent: true };
    } else typed = editText(typed, part, longestPassword);
  }
  return { typed, sent: false };
}

/** A line of text after one key. */
export function editText(typed: string, key: string, longest: number): string {
  if (key === "\u007f" || key === "\b") return Array.from(typed).slice(0, -1).join("");
  if (key === "\u0015") return "";
  return /^[^\p{Cc}\p{Cs}]$/u.test(key) && typed.length + key.length <= longest ? typed + key : typed;
}
