/** Every text in a step's settings, with where it stands. */
export function* textsIn(value: unknown, at = ""): Generator<{ at: string; text: string }> {
  if (typeof value === "string") yield { at, text: value };
  else if (Array.isArray(value)) for (const [i, one] of value.entries()) yield* textsIn(one, `${at}[${i}]`);
  else if (typeof value === "object" && value !== null) for (const [key, one] of Object.entries(value)) yield* textsIn(one, at === "" ? key : `${at}.${key}`);
}

/** The names between percent signs. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(/%([A-Za-z_][A-Za-z0-9_.-]{0,255})%/g)].map((match) => match[1] ?? "");
}
