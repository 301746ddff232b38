type Settings = Readonly<Record<string, unknown>>;

/** The name that a setting holds, where it does. */
export function nameIn(settings: Settings, key: string): string[] {
  const name = settings[key];
  return typeof name === "string" && name !== "" ? [name] : [];
}

/** The names that a command line or a script sets by the program `prestage-variable`, as far as its text says them. */
export function namesInCommand(settings: Settings, key: string): string[] {
  const text = settings[key];
  if (typeof text !== "string") return [];
  return [...new Set([...text.matchAll(/\bprestage-variable[ \t]+["']?([A-Za-z][A-Za-z0-9_.-]{0,255})["']?[ \t]+[^\s|;&<>)]/g)].map((match) => match[1] ?? ""))];
}

/** A flag that a setting turns off; one that a variable says may be on. */
export function isOff(value: unknown): boolean {
  return value === false || (typeof value === "string" && value.toLowerCase() === "false");
}
