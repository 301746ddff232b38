import type { SourceNode } from "../source-sequence.ts";

/** Variables of MDT that lead into its deployment share, and where. */
const roots: Readonly<Record<string, string>> = { scriptroot: "Scripts", toolroot: "Tools/x64", deployroot: "", resourceroot: "" };
const root = /%(SCRIPTROOT|TOOLROOT|DEPLOYROOT|RESOURCEROOT)%([\\/]*)/gi;
/** Folders of the share whose content belongs together; of others, such as Applications, the folder below. */
const whole = ["scripts", "tools/x64", "tools/x86"];

/** Folders that hold everything of a kind: no package. */
const tooLarge = ["applications", "operating systems", "out-of-box drivers", "packages", "captures"];

/** A text whose paths into the share are now relative to one folder of it. */
export interface FromShare { folder: string; text: string }

/**
 * Takes a command or path that names files of the deployment share, which no computer reaches, to one that runs in a package made of that folder.
 * @returns undefined where it names none; `refused` where it names files of more than one folder, or of the share's top
 */
export function fromShare(text: string): FromShare | { refused: string } | undefined {
  const folders = new Map<string, string>();
  let top = false;
  let made = "";
  let at = 0;
  for (const match of text.matchAll(root)) {
    const below = roots[(match[1] ?? "").toLowerCase()] ?? "";
    const begin = match.index + match[0].length;
    const quoted = text.slice(0, match.index).split('"').length % 2 === 0;
    const found = below === "" ? folderIn(text.slice(begin), quoted) : { folder: below, length: 0 };
    if (found === undefined) top = true;
    else folders.set(found.folder.toLowerCase(), found.folder);
    made += `${text.slice(at, match.index)}.${match[2] === "" ? "" : "\\"}`;
    at = begin + (found?.length ?? 0);
  }
  if (at === 0) return undefined;
  const [folder] = folders.values();
  if (folders.size > 1) return { refused: "it needs files of more than one folder of the deployment share: make one package of them" };
  if (top || folder === undefined) return { refused: "it needs a file of the deployment share that lies in no folder of its own, which no computer reaches: make a package of it" };
  return { folder, text: made + text.slice(at) };
}

/** The folder a path below the share is in, and how much of the path that is. A name with spaces is one between quotation marks. */
function folderIn(rest: string, quoted: boolean): { folder: string; length: number } | undefined {
  const [first, second] = quoted ? [/^[^\\/"<>|*?%]+[\\/]+/, /^[^\\/"<>|*?%]+[\\/]+[^\\/"<>|*?%]+[\\/]+/] : [/^[^\\/"<>|*?%\s]+[\\/]+/, /^[^\\/"<>|*?%\s]+[\\/]+[^\\/"<>|*?%\s]+[\\/]+/];
  const folder = (path: string): string => path.split(/[\\/]+/).filter((name) => name !== "").join("/");
  for (const [path] of [second?.exec(rest) ?? [], first?.exec(rest) ?? []]) {
    if (path === undefined) continue;
    const top = first?.exec(rest)?.[0] ?? path;
    if (tooLarge.includes(folder(path).toLowerCase())) return undefined;
    return whole.includes(folder(top).toLowerCase()) ? { folder: folder(top), length: top.length } : { folder: folder(path), length: path.length };
  }
  return undefined;
}

/** Paths below the share of the scripts that a command names. */
export function scriptsIn(command: string): string[] {
  const made = fromShare(command);
  if (made === undefined || "refused" in made) return [];
  return [...made.text.matchAll(/\.\\([^"<>|*?%]+?\.(?:vbs|wsf|js|ps1|cmd|bat))(?![A-Za-z0-9])/gi)].map((match) => `${made.folder}/${(match[1] ?? "").replaceAll("\\", "/")}`);
}

/** What MDT's Run PowerShell Script names: a file of its Scripts, unless it has a path. Between quotation marks, as names may have spaces. */
export function scriptOfPowerShell(name: string): string {
  return `"${/%|:|^\\/.test(name) ? name : `%SCRIPTROOT%\\${name}`}"`;
}

/** The scripts of the share that the steps of a sequence name, by their paths below it. */
export function scriptsOfShare(nodes: readonly SourceNode[]): string[] {
  return [...new Set(nodes.flatMap((node): string[] => [...[node.action, ...node.settings.map((one) => (/^(PS)?ScriptName$/i.test(one.property) && /ZTIPowerShell/i.test(node.action) ? scriptOfPowerShell(one.value) : one.value))].flatMap(scriptsIn), ...scriptsOfShare(node.children)]))];
}
