import { textsIn } from "../text-in-settings.ts";

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

/** A call whose name stands there: what follows it is a value, or nothing where the variable is only printed. */
const readable = /^[ \t]+(["']?)[A-Za-z_][A-Za-z0-9_.-]{0,255}\1([ \t]|[\r\n|;&<>)`]|$)/;

/** Its value comes from elsewhere, or the file of variables is written to without the program. */
const roundAbout = /\bxargs\b[^\n;&|]*\bprestage-variable\b|\bPRESTAGE_VARIABLES\b/;

/**
 * Whether a step calls `prestage-variable` in a way of which the text does not say the name (a shell variable, an argument of JavaScript's execFileSync), writes
 * into the file behind it, or runs files that are not in the sequence: those of a package beside the text.
 */
export function maySetUnread(settings: Settings): boolean {
  if (settings["package"] !== undefined) return true;
  return [...textsIn(settings)].some(({ text }) => roundAbout.test(text) || text.split("prestage-variable").slice(1).some((after) => !readable.test(after)));
}

/** A flag that a setting turns off; one that a variable says may be on. */
export function isOff(value: unknown): boolean {
  return value === false || (typeof value === "string" && value.toLowerCase() === "false");
}
