import type { Condition } from "../../schema.ts";
import { attributeOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { fromShare } from "./share-paths.ts";
import { isTrue } from "../source-sequence.ts";
import { conditionOfSystem } from "../conditions/translate-condition.ts";

/** An application of MDT's Applications.xml, as far as it is carried over. */
export interface ShareApplication {
  /** What is run in the folder of its files; empty for a bundle, which is nothing but its dependencies. */
  command: string;
  /** A command that succeeds where it is installed; none where MDT is told of no uninstall key. */
  detection?: string;
  /** MDT restarts the computer after it was installed. */
  restart: boolean;
  /** The systems it is for; none: any. */
  platform?: Condition;
  /** GUIDs of those before it, in lower case. */
  dependencies: string[];
  /** Why it cannot be imported as it is. */
  refused?: string;
}

export interface ReadApplication { element: XmlElement; application: ShareApplication; notes: string[] }

export function readShareApplications(elements: readonly XmlElement[]): ReadApplication[] {
  return elements.map((element) => {
    const notes: string[] = [];
    const asked = textOf(element, "CommandLine");
    const { command, refused } = asked === "" ? { command: "", refused: undefined } : commandOf(element, asked, notes);
    const detection = command === "" ? undefined : detectionOf(textOf(element, "UninstallKey"), notes);
    const platform = platformOf(element, notes);
    const restart = isTrue(textOf(element, "Reboot"));
    if (asked === "" && textOf(element, "UninstallKey") !== "") notes.push("its uninstall key is left out: a bundle installs nothing itself");
    if (restart) notes.push(detection === undefined ? "after it the step that installs it restarts the computer" : "it asks for a restart with every code of success, and is looked for after it");
    if (isTrue(attributeOf(element, "hide"))) notes.push("hidden in MDT's wizard; nobody is asked to choose here");
    return { element, notes, application: { command, restart, dependencies: childrenOf(element, "Dependency").map((one) => one.text.trim().toLowerCase()), ...(detection !== undefined && { detection }), ...(platform !== undefined && { platform }), ...(refused !== undefined && { refused }) } };
  });
}

/** What runs in the folder of its files: paths of the share and the working directory are said from there. */
function commandOf(element: XmlElement, asked: string, notes: string[]): { command: string; refused?: string } {
  const source = pathBelow(textOf(element, "Source"))?.toLowerCase();
  const named = fromShare(asked);
  if (named !== undefined && ("refused" in named || named.folder.toLowerCase() !== source)) return { command: asked, refused: "its command line names files of the share that are not its own, which no computer reaches: put them into its folder and import that (prestage package import)" };
  const command = named === undefined ? asked : named.text;
  const place = textOf(element, "WorkingDirectory");
  const folder = pathBelow(place);
  if (place === "" || source === undefined || folder?.toLowerCase() === source || /^\.?[\\/]?$/.test(place)) return { command };
  if (folder?.toLowerCase().startsWith(`${source}/`) === true && !/["%]/.test(folder)) return { command: `cd /d "${folder.slice(source.length + 1).replaceAll("/", "\\")}" && ${command}` };
  notes.push(`it runs in the folder of its files, not in its working directory ${place.slice(0, 200)}, which is none of them`);
  return { command };
}

/**
 * MDT takes an application as installed where its uninstall key is there, whether a 32-bit or a 64-bit program wrote it. A registry rule of ours asks for one of the two;
 * so it is a command that asks for both.
 */
function detectionOf(key: string, notes: string[]): string | undefined {
  if (key === "") return undefined;
  // What cmd.exe would read otherwise within quotation marks, and what is no single key.
  if (/["%\\\p{Cc}]/u.test(key) || key.length > 255) {
    notes.push("its uninstall key is no name of a key, so it is not looked for: it is a package, and is run each time");
    return undefined;
  }
  notes.push("found by its uninstall key, of 64-bit or 32-bit programs; here it must be there after the installation, too");
  const path = `"HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${key}"`;
  return `reg query ${path} /reg:64 || reg query ${path} /reg:32`;
}

/** Any of the systems it supports; where one cannot be said here, none is asked. */
function platformOf(element: XmlElement, notes: string[]): Condition | undefined {
  const names = childrenOf(element, "SupportedPlatform").map((one) => one.text.trim()).filter((name) => name !== "");
  const [first, ...more] = names.map(conditionOfSystem);
  if (names.length === 0) return undefined;
  const all = [first, ...more].filter((condition) => condition !== undefined);
  if (all.length < names.length || first === undefined) {
    notes.push(`not carried over: the systems it supports (${names.join(", ").slice(0, 300)}), which cannot be said here; it is installed in any`);
    return undefined;
  }
  notes.push("only in the systems it supports; a server of such a version counts as one");
  return more.length === 0 ? first : { any: all };
}

/** `.\Folder\file` as a path below the share; undefined for one that leaves it, or lies elsewhere. */
export function pathBelow(path: string): string | undefined {
  const names = path.replaceAll("\\", "/").split("/").filter((name) => name !== "" && name !== ".");
  if (names.length === 0 || names.length > 64 || /^(\\\\|\/\/|[A-Za-z]:|\/)/.test(path.trim()) || names.some((name) => name === ".." || name.includes("\0") || name.length > 255)) return undefined;
  return names.join("/");
}
