import type { SourceNode } from "../source-sequence.ts";

/** reg load HKLM\\NAME path\\config\\HIVE: a part of the registry of the Windows on the disk, under a name of its own while Windows PE runs. */
const load = /^(?:cmd(?:\.exe)?\s+\/c\s+)?reg(?:\.exe)?\s+load\s+"?HKLM\\([^\s"\\]+)"?\s+"?[^"]*\\config\\(software|system|default|security|sam)"?\s*$/i;
const unload = /^(?:cmd(?:\.exe)?\s+\/c\s+)?reg(?:\.exe)?\s+unload\s+"?HKLM\\([^\s"\\]+)"?\s*$/i;
const inFullWindows: Readonly<Record<string, string>> = { software: "HKLM\\SOFTWARE", system: "HKLM\\SYSTEM", security: "HKLM\\SECURITY", sam: "HKLM\\SAM", default: "HKU\\.DEFAULT" };

/** What a command does with a part of the registry that the sequence has loaded: nothing of its own, or what it writes, by the name it has in the running Windows. */
export type HiveUse = { nothing: "load" | "unload" } | { command: string };

/** The parts that a sequence's enabled steps load, by their names in lower case. */
export function loadedHives(nodes: readonly SourceNode[]): Map<string, string> {
  const hives = new Map<string, string>();
  for (const node of nodes) {
    if (node.disabled) continue;
    const [, name, hive] = load.exec(commandOf(node)) ?? [];
    if (name !== undefined && hive !== undefined) hives.set(name.toLowerCase(), inFullWindows[hive.toLowerCase()] ?? "");
    for (const [inner, place] of loadedHives(node.children)) hives.set(inner, place);
  }
  return hives;
}

function commandOf(node: SourceNode): string {
  return (node.settings.find((one) => /^CommandLine$/i.test(one.property))?.value || node.action.replace(/^smsswd\.exe\s+\/run:\S*\s*/i, "")).trim();
}

export function hiveUse(command: string, hives: ReadonlyMap<string, string>): HiveUse | undefined {
  const of = (pattern: RegExp) => hives.has((pattern.exec(command.trim())?.[1] ?? "").toLowerCase());
  if (of(load)) return { nothing: "load" };
  if (of(unload)) return { nothing: "unload" };
  let found = false;
  const made = command.replace(/\bHK(?:LM|EY_LOCAL_MACHINE)\\([^\s"\\]+)(?=\\|"|\s|$)/gi, (whole, name: string) => {
    const place = hives.get(name.toLowerCase());
    if (place === undefined) return whole;
    found = true;
    return place;
  });
  return found ? { command: made } : undefined;
}
