/** How a piece of text looks; a terminal knows the escape sequence. */
export type Style = "plain" | "bold" | "dim" | "header" | "good" | "bad" | "active" | "bar" | "choice";
export interface Span { text: string; style: Style }
export type Line = readonly Span[];

export function span(text: string, style: Style = "plain"): Span {
  return { text: printable(text), style };
}
export function line(...parts: (string | Span)[]): Line {
  return parts.map((part) => (typeof part === "string" ? span(part) : part));
}

/** What comes from the network or a disk may hold escape sequences; a terminal never gets them. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}

export function widthOf(one: Line): number {
  return one.reduce((sum, part) => sum + part.text.length, 0);
}

/** Exactly `width` characters: cut with dots, or filled with blanks. */
export function fitText(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean.padEnd(width) : `${clean.slice(0, Math.max(0, width - 3))}...`.slice(0, width);
}

/** The line at a width: what is too long is cut. */
export function fitLine(one: Line, width: number): Line {
  const result: Span[] = [];
  let left = width;
  for (const part of one) {
    if (left <= 0) break;
    const text = part.text.length <= left ? part.text : fitText(part.text, left);
    result.push({ text, style: part.style });
    left -= text.length;
  }
  if (left > 0) result.push({ text: " ".repeat(left), style: "plain" });
  return result;
}

/** Breaks text at blanks; a longer word is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let current = "";
    for (let word of printable(paragraph).split(/ +/)) {
      while (word.length > width) {
        if (current !== "") lines.push(current);
        current = "";
        lines.push(word.slice(0, width));
        word = word.slice(width);
      }
      if (current !== "" && current.length + 1 + word.length > width) {
        lines.push(current);
        current = word;
      } else current = current === "" ? word : `${current} ${word}`;
    }
    lines.push(current);
  }
  return lines;
}

export function plainText(lines: readonly Line[]): string {
  return lines.map((one) => one.map((part) => part.text).join("").trimEnd()).join("\n");
}
