export type Key = { kind: "digit"; value: number } | { kind: "up" } | { kind: "down" } | { kind: "enter" } | { kind: "other" };

/** Keys in what a terminal sent; an escape sequence is one key. */
export function parseKeys(text: string): Key[] {
  const keys: Key[] = [];
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  for (const [whole] of text.matchAll(/\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z]|.)?|\r\n|[^]/g)) {
    if (arrow(whole) === "A" || whole === "k") keys.push({ kind: "up" });
    else if (arrow(whole) === "B" || whole === "j") keys.push({ kind: "down" });
    else if (/^[1-9]$/.test(whole)) keys.push({ kind: "digit", value: Number(whole) });
    else if (whole === "\r" || whole === "\n" || whole === "\r\n") keys.push({ kind: "enter" });
    else keys.push({ kind: "other" });
  }
  return keys;
}

/** The last letter of an arrow key's sequence: ESC [ A or ESC O A. */
function arrow(sequence: string): string | undefined {
  return sequence.length === 3 && sequence.startsWith("\u001b") && "[O".includes(sequence[1] ?? " ") ? sequence[2] : undefined;
}
