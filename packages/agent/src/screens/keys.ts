export type Key = { kind: "digit"; value: number } | { kind: "up" } | { kind: "down" } | { kind: "page-up" } | { kind: "page-down" } | { kind: "home" } | { kind: "end" } | { kind: "enter" } | { kind: "escape" } | { kind: "function"; number: number } | { kind: "other" };

/** What a terminal sent, a key at a time: an escape sequence is one key, with the doubled bracket of the Linux console's F1 to F5. */
export function splitKeys(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.match(/\u001b(?:\[\[[A-E]|\[[0-9;]*[A-Za-z~]|O[A-Za-z]|[^\u001b])?|\r\n|[^]/gu) ?? [];
}

const letters: Readonly<Record<string, Key>> = {
  A: { kind: "up" }, B: { kind: "down" }, H: { kind: "home" }, F: { kind: "end" },
  P: { kind: "function", number: 1 }, Q: { kind: "function", number: 2 }, R: { kind: "function", number: 3 }, S: { kind: "function", number: 4 },
};
const numbers: Readonly<Record<string, Key>> = { 1: { kind: "home" }, 4: { kind: "end" }, 5: { kind: "page-up" }, 6: { kind: "page-down" }, 7: { kind: "home" }, 8: { kind: "end" } };
/** F1 to F12 as numbered sequences. */
const functionNumbers = [11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24];

/** What one key means. */
export function keyOf(token: string): Key {
  if (/^[1-9]$/.test(token)) return { kind: "digit", value: Number(token) };
  if (token === "k") return { kind: "up" };
  if (token === "j") return { kind: "down" };
  if (token === "\r" || token === "\n" || token === "\r\n") return { kind: "enter" };
  if (token === "\u001b") return { kind: "escape" };
  if (!token.startsWith("\u001b")) return { kind: "other" };
  const sequence = token.slice(1);
  const console = /^\[\[([A-E])$/.exec(sequence)?.[1];
  if (console !== undefined) return { kind: "function", number: console.charCodeAt(0) - 64 };
  const number = /^\[(\d+)~$/.exec(sequence)?.[1];
  if (number !== undefined) {
    const place = functionNumbers.indexOf(Number(number));
    return place >= 0 ? { kind: "function", number: place + 1 } : (numbers[number] ?? { kind: "other" });
  }
  return (/^[[O]([A-Z])$/.test(sequence) ? letters[sequence[1] ?? ""] : undefined) ?? { kind: "other" };
}

/** Keys in what a terminal sent. */
export function parseKeys(text: string): Key[] {
  return splitKeys(text).map(keyOf);
}
