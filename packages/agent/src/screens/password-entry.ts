/** What is being typed at the password screen. */
export interface PasswordEntry { readonly typed: string; readonly sent: boolean }

const longestPassword = 128;

/** The entry after what a terminal sent: printable characters are added, Backspace takes one away, Ctrl-U all, Enter sends. Escape sequences are no characters. */
export function editPassword(entry: PasswordEntry, text: string): PasswordEntry {
  let { typed } = entry;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  for (const [part] of text.matchAll(/\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z]|.)?|\r\n|[^]/gu)) {
    if (part === "\r" || part === "\n" || part === "\r\n") {
      if (typed !== "") return { typed, sent: true };
    } else if (part === "\u007f" || part === "\b") typed = Array.from(typed).slice(0, -1).join("");
    else if (part === "\u0015") typed = "";
    else if (/^[^\p{Cc}\p{Cs}]$/u.test(part) && typed.length + part.length <= longestPassword) typed += part;
  }
  return { typed, sent: false };
}
