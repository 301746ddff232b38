/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

const mark = "[secret]";
/** A line of a longer secret that is shorter than this says nothing by itself, and may be any word. */
const shortestLine = 4;

export const nothingToRedact: Redact = (text) => text;

/** Replaces each value, each of its lines, and the forms programs print them in: hex, base64, in a URL, in JSON. */
export function makeRedactor(values: readonly string[]): Redact {
  const forms = new Set<string>();
  for (const value of values) {
    const lines = value.split(/\r?\n/).filter((line) => line !== value && line.length >= shortestLine);
    for (const text of [value, ...lines]) {
      const bytes = Buffer.from(text, "utf8");
      const encoded = [bytes.toString("hex"), bytes.toString("hex").toUpperCase(), bytes.toString("base64").replace(/=+$/, ""), bytes.toString("base64url"), encodeURIComponent(text.toWellFormed()), JSON.stringify(text).slice(1, -1)];
      for (const form of [text, ...encoded]) if (form !== "") forms.add(form);
    }
  }
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  return longestFirst.length === 0 ? nothingToRedact : (text) => longestFirst.reduce((rest, form) => rest.replaceAll(form, mark), text);
}
