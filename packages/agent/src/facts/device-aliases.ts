import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const most = 10_000;

/** What the kernel calls this computer's devices when it looks for a driver: pci:v00008086d..., each once. */
export async function deviceAliases(buses = "/sys/bus"): Promise<string[]> {
  const found = new Set<string>();
  for (const bus of await readdir(buses).catch(() => [])) {
    for (const device of await readdir(join(buses, bus, "devices")).catch(() => [])) {
      const alias = (await readFile(join(buses, bus, "devices", device, "modalias"), "utf8").catch(() => "")).trim();
      if (alias !== "" && found.size < most) found.add(alias);
    }
  }
  return [...found].toSorted();
}

/** A module's alias: `*`, `?` and sets of characters stand for anything, as the kernel's own tools read them (modules.alias, fnmatch(3)). */
export interface AliasPattern {
  /** How much of a device it names: of two that fit, the longer one is made for it. */
  exactness: number;
  fits(alias: string): boolean;
}

export function aliasPattern(text: string): AliasPattern {
  const tokens = text.match(/\*+|\[!?[^\]]+\]|[^]/g) ?? [];
  const start = /^[^*?[]*/.exec(text)?.[0] ?? "";
  return { exactness: tokens.filter((token) => token.length === 1 && token !== "*" && token !== "?").length, fits: (alias) => alias.startsWith(start) && matches(tokens, alias) };
}

/** Goes back to the last star alone: what a hostile pattern costs is its length times the alias's. */
function matches(tokens: readonly string[], text: string): boolean {
  let [token, at, star, from] = [0, 0, -1, 0];
  while (at < text.length) {
    const one = tokens[token];
    if (one?.startsWith("*") === true) [star, from] = [token++, at];
    else if (one !== undefined && fitsOne(one, text.charAt(at))) [token, at] = [token + 1, at + 1];
    else if (star >= 0) [token, at] = [star + 1, ++from];
    else return false;
  }
  return tokens.slice(token).every((one) => one.startsWith("*"));
}

function fitsOne(token: string, character: string): boolean {
  if (token === "?" || token === character) return true;
  const set = /^\[(!?)([^]+)\]$/.exec(token);
  if (set === null) return false;
  const inside = (set[2] ?? "").replace(/([^])-([^])/g, (_, first: string, last: string) => (first <= character && character <= last ? character : "")).includes(character);
  return inside !== (set[1] === "!");
}
