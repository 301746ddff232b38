import type { XmlElement } from "../../read-xml.ts";
import { instancesOf, propertiesOf } from "./cim.ts";
import { nameOfObject, versionOfObject } from "./exported-object.ts";
import type { ExportedObject, ExportObject, PackageProgram } from "./exported-object.ts";
import { redact } from "../redact.ts";
import { pathBelow } from "../share/share-applications.ts";
import type { ProgramKnowledge } from "../translation.ts";

/** Bits of SMS_Program's ProgramFlags. */
const flags = { disabled: 0x1000, userContext: 0x4000, everyUser: 0x1_0000, restartsItself: 0x4_0000, restartAfter: 0x8_0000, uncPath: 0x10_0000, anyPlatform: 0x800_0000 };

/** What is carried over of a program, or why it is left out, and what is to be known of it. */
interface ReadProgram { name: string; program?: PackageProgram; left?: string; restart: boolean; notes: string[] }

/**
 * Programs lie in an export as instances of SMS_Program: within their package's text, in any of the ways CIM has for that, in a list beside it, as the console writes
 * what a task sequence refers to, or each in a file of its own. The same program twice counts once.
 */
function programsOf(pack: ExportObject): XmlElement[] {
  const all = [pack.root, ...(pack.beside ?? [])].flatMap((one) => instancesOf(one, "SMS_Program"));
  return [...new Map(all.map((one) => [propertiesOf(one).get("programname")?.toLowerCase() ?? "", one])).values()];
}

/** Packages with their programs, as what is imported from the content beside the export. */
export function packagesOf(objects: readonly ExportObject[]): ExportedObject[] {
  return packagesIn(objects).map(({ object, programs }) => {
    const notes = programs.flatMap((one) => one.notes);
    return { kind: "package", guid: object.id, name: nameOfObject(object), version: versionOfObject(object), sources: [], places: [object.id], enabled: true, notes, programs: programs.flatMap(({ program }) => program ?? []) };
  });
}

/** What the steps that run programs of these packages ask. */
export function programKnowledge(objects: readonly ExportObject[]): ProgramKnowledge {
  return new Map(packagesIn(objects).map(({ object, programs }) => [object.id.toLowerCase(), new Map(programs.map(({ name, restart, left }) => [name.toLowerCase(), { restart, ...(left !== undefined && { left }) }]))]));
}

function packagesIn(objects: readonly ExportObject[]): { object: ExportObject; programs: ReadProgram[] }[] {
  return objects.filter(({ className }) => /^SMS_Package$/i.test(className)).map((object) => ({ object, programs: programsOf(object).slice(0, 64).map((one) => readProgram(object, one)) }));
}

function readProgram(pack: ExportObject, program: XmlElement): ReadProgram {
  const properties = propertiesOf(program);
  const text = (name: string) => properties.get(name) ?? "";
  const name = redact(text("programname")).text.slice(0, 50);
  const has = (flag: number) => (Number(text("programflags")) & flag) !== 0;
  const restart = has(flags.restartAfter);
  const left = (why: string): ReadProgram => ({ name, restart, left: why, notes: [`its program ${name || "without a name"} is left out: ${why}`] });
  const command = text("commandline");
  if (name === "") return left("it has no name");
  if (has(flags.disabled)) return left("it is disabled there");
  if (command === "") return left("it has no command line");
  if (redact(command).found) return left("a password stands in its command line");
  if (command.length > 3000 || /[\r\n]/.test(command)) return left("its command line is too long, or has several lines");
  const notes: string[] = [];
  const note = (what: string) => notes.push(`its program ${name}: ${what}`);
  const run = inFolder(command, text("workingdirectory"), note);
  if (restart) note("the step that runs it restarts the computer, as there, whichever code of success it ends with");
  if (has(flags.restartsItself)) note("it restarts the computer itself; here it is run again afterwards, where it was cut short: have it end with 3010 in place of that");
  if (has(flags.userContext)) note("there it runs with the rights of the user who is logged on, here with the system's");
  if (has(flags.everyUser) && has(flags.userContext)) note("there it runs once for every user, here once");
  if (!has(flags.uncPath) && /^[a-z]$/i.test(text("driveletter"))) note(`there its files have the drive letter ${text("driveletter").toUpperCase()}:, here it runs in the folder of its files`);
  if (Number(text("duration")) > 0) note(`there it is expected to end within ${Number(text("duration"))} minutes; here a step's timeoutSeconds says so`);
  const before = dependency(pack, text("dependentprogram"));
  if (before !== undefined) note(`there ${before} runs before it: put a step for that before the one that runs it`);
  const systems = has(flags.anyPlatform) ? [] : systemsOf(program);
  if (systems.length > 0) note(`there it runs in these systems alone: ${systems.join(", ").slice(0, 300)}; here a step's condition says so`);
  // A restart with every code of success is the step's: a code that the program calls a success asks for none.
  return { name, restart, notes, program: { name, command: run, successCodes: restart ? [] : [0] } };
}

/** "Start in": a folder of the package's files is gone to. */
function inFolder(command: string, place: string, note: (what: string) => void): string {
  if (place === "" || /^\.?[\\/]?$/.test(place)) return command;
  const folder = pathBelow(place);
  if (folder !== undefined && !/["%]/.test(folder)) return `cd /d "${folder.replaceAll("/", "\\")}" && ${command}`;
  note(`it runs in the folder of its files, not in ${redact(place).text.slice(0, 200)}`);
  return command;
}

/** `PKGID;;NAME`, or `;;NAME` of the same package. */
function dependency(pack: ExportObject, text: string): string | undefined {
  const [, id = "", name = ""] = /^([^;]{0,64});;(.{1,100})$/s.exec(text) ?? [];
  return name === "" ? undefined : `the program ${redact(name).text} of ${id === "" ? "the same package" : id === pack.id ? "the same package" : id}`;
}

/** SMS_OS_Details within the program: their names, or what else tells them. */
function systemsOf(program: XmlElement): string[] {
  const told = instancesOf(program, "SMS_OS_Details").map(propertiesOf).map((one) => ["name", "platform", "minversion", "maxversion"].map((name) => one.get(name) ?? "").filter((value) => value !== "").join(" "));
  return [...new Set(told)].filter((one) => one !== "");
}
