import { attributeOf, childOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { powerShellText } from "../../windows/powershell.ts";
import { within } from "./application-digest.ts";
import { exactText, powerShellCommand } from "./detection-script.ts";
import type { SourceDetection } from "./exported-object.ts";
import { helpers } from "./powershell-helpers.ts";

/** What is asked: all or any of several, or one thing; that as PowerShell, and as a rule of ours where there is one that asks the same. */
type Asked = { all: Asked[] } | { any: Asked[] } | { test: string; rule?: SourceDetection };

class Unsayable extends Error {}

/** As many rules as an application takes. */
const mostRules = 16;
const uninstall = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall";

/** What an enhanced detection method asks, as rules of ours, or why it cannot be said. The registry of the user is asked only `asSystem`, where it is the system's own. */
export function translateEnhancedDetection(method: XmlElement, asSystem: boolean): SourceDetection[] | { refused: string } {
  try {
    const settings = new Map((childOf(method, "Settings")?.children ?? []).map((one) => [attributeOf(one, "LogicalName"), one]));
    const rules = childrenOf(method, "Rule").map((rule) => childOf(rule, "Expression")).filter((one) => one !== undefined);
    if (rules.length === 0) throw new Unsayable("it has no rule");
    return rulesOf(parts(rules.map((one) => asked(one, settings, asSystem))));
  } catch (cause) {
    if (cause instanceof Unsayable) return { refused: `how it is detected cannot be said here: ${cause.message}` };
    throw cause;
  }
}

/** An MSI by its product code: by what it leaves among the programs that can be removed, of 64-bit or 32-bit ones. */
export function productCodeDetection(code: string): SourceDetection[] | { refused: string } {
  return /^\{[0-9A-F-]{36}\}$/i.test(code) ? [{ type: "command", command: queryUninstall(code) }] : { refused: "how it is detected cannot be said here: by an MSI without a product code" };
}

function queryUninstall(code: string): string {
  const path = `"HKLM\\${uninstall}\\${code}"`;
  return `reg query ${path} /reg:64 || reg query ${path} /reg:32`;
}

/** What must hold together, without And within And. */
function parts(all: readonly Asked[]): Asked[] {
  return all.flatMap((one) => ("all" in one ? parts(one.all) : [one]));
}

/** Those with a rule by it, the others together by one command. */
function rulesOf(all: readonly Asked[]): SourceDetection[] {
  const simple = all.flatMap((one) => ("rule" in one && one.rule !== undefined ? [one.rule] : []));
  const rest = all.filter((one) => !("rule" in one) || one.rule === undefined);
  if (rest.length === 0 && simple.length <= mostRules) return simple;
  const tests = (simple.length < mostRules ? rest : all).map(expressionOf).join(" -and ");
  const used = Object.entries(helpers).filter(([name]) => new RegExp(`\\b${name}\\b`).test(tests)).map(([, text]) => text);
  const command = powerShellCommand([`$ErrorActionPreference='SilentlyContinue'`, ...used, `if(${tests}){exit 0}exit 1`].join(";"));
  if (command === undefined) throw new Unsayable("it asks for too much");
  return [...(simple.length < mostRules ? simple : []), { type: "command", command }];
}

function expressionOf(one: Asked): string {
  if ("test" in one) return one.test;
  return "all" in one ? `(${one.all.map(expressionOf).join(" -and ")})` : `(${one.any.map(expressionOf).join(" -or ")})`;
}

function asked(expression: XmlElement, settings: ReadonlyMap<string, XmlElement>, asSystem: boolean): Asked {
  const operator = textOf(expression, "Operator");
  const operands = childOf(expression, "Operands");
  const inner = childrenOf(operands, "Expression");
  if (inner.length > 0) {
    const all = inner.map((one) => asked(one, settings, asSystem));
    const [only] = all;
    if (all.length === 1 && only !== undefined && /^(And|Or)$/i.test(operator)) return only;
    if (/^And$/i.test(operator)) return { all };
    if (/^Or$/i.test(operator)) return { any: all };
    throw new Unsayable(`it puts conditions together by ${operator.slice(0, 40) || "nothing"}`);
  }
  const reference = childOf(operands, "SettingReference");
  const setting = reference === undefined ? undefined : settings.get(attributeOf(reference, "SettingLogicalName"));
  if (reference === undefined || setting === undefined) throw new Unsayable("it asks for a setting it does not have");
  const list = childOf(operands, "ConstantValueList");
  const constants = childrenOf(list ?? operands, "ConstantValue").map((one) => attributeOf(one, "Value"));
  return comparison(subjectOf(setting, asSystem), { operator, constants, type: attributeOf(reference, "DataType"), method: attributeOf(reference, "Method"), property: attributeOf(reference, "PropertyPath") });
}

interface Comparison { operator: string; constants: string[]; type: string; method: string; property: string }

/** What a setting is here: whether it is there, by PowerShell and by a rule, and its value by name of a property. */
interface Subject { there: string; rule?: SourceDetection; value: (property: string) => string | undefined; /** A rule that its value is this text. */ equals?: (text: string) => SourceDetection }

function subjectOf(setting: XmlElement, asSystem: boolean): Subject {
  const kind = setting.name.toLowerCase();
  if (kind === "file" || kind === "folder") return pathSubject(setting, kind === "file");
  if (kind === "msi") return msiSubject(setting);
  const source = within(setting, "RegistryDiscoverySource")[0] ?? (kind === "registrykey" ? setting : undefined);
  if (source === undefined) throw new Unsayable(`it asks by ${setting.name.slice(0, 60)}`);
  return registrySubject(source, asSystem);
}

function isTrueAttribute(element: XmlElement, name: string, otherwise: boolean): boolean {
  const text = attributeOf(element, name).toLowerCase();
  return text === "" ? otherwise : text === "true";
}

/** A file or folder; one of a 32-bit application is looked for in the places of such, then in those of others. */
function pathSubject(setting: XmlElement, file: boolean): Subject {
  const [folder, name] = [textOf(setting, "Path"), textOf(setting, "Filter")];
  const path = `${folder.replace(/[\\/]+$/, "")}\\${name}`;
  if (folder === "" || name === "" || /[*?"<>|\r\n\0]/.test(path)) throw new Unsayable("it asks for a path that is none, or for several by a pattern");
  if (/^\\\\/.test(path)) throw new Unsayable("it asks for a path of the network");
  if (/^%(USERPROFILE|APPDATA|LOCALAPPDATA|HOMEPATH|HOMEDRIVE|USERNAME)%/i.test(path)) throw new Unsayable("it asks for a file of the user, and steps run as the system");
  const paths = isTrueAttribute(setting, "Is64Bit", true) ? [path] : [...new Set([narrow(path), path])];
  const item = `(Find ${file ? "Leaf" : "Container"} ${paths.map(powerShellText).join(",")})`;
  const fixed = paths.length === 1 && /^[A-Za-z]:\\/.test(path) && !path.includes("%");
  return {
    there: `(${item} -ne $null)`,
    rule: fixed && file ? { type: "file", path } : { type: "command", command: paths.reduceRight((otherwise, one) => `if exist "${one}${file ? "" : "\\"}" (exit 0) else ${otherwise.startsWith("if") ? `(${otherwise})` : otherwise}`, "exit 1") },
    value: (property) => ({ version: file ? `(VersionOf ${item})` : undefined, size: file ? `(${item}|ForEach-Object{$_.Length})` : undefined, datemodified: `${item}.LastWriteTimeUtc`, datecreated: `${item}.CreationTimeUtc` })[property.toLowerCase()],
  };
}

/** Where a 32-bit program has what it calls by this name. */
function narrow(path: string): string {
  return path.replace(/^%(ProgramFiles|CommonProgramFiles)%/i, (_, name: string) => `%${name}(x86)%`).replace(/^((?:%(?:windir|SystemRoot)%|[a-z]:\\Windows)\\)System32(?=\\)/i, "$1SysWOW64");
}

/** An MSI: what Windows Installer writes of it among the programs that can be removed. */
function msiSubject(setting: XmlElement): Subject {
  const code = textOf(setting, "ProductCode");
  if (!/^\{[0-9A-F-]{36}\}$/i.test(code)) throw new Unsayable("it asks for an MSI without a product code");
  if (isTrueAttribute(setting, "IsPerUser", false)) throw new Unsayable("it asks for an MSI of the user, and steps run as the system");
  const key = `LocalMachine '${uninstall}\\${code}'`;
  return {
    there: `(Key ${key} 'Registry64','Registry32')`,
    rule: { type: "command", command: queryUninstall(code) },
    value: (property) => (/^(ProductVersion|)$/i.test(property) ? `(Value ${key} 'DisplayVersion' 'Registry64','Registry32')` : undefined),
  };
}

const hives: Readonly<Record<string, readonly [name: string, short: string]>> = { hkey_local_machine: ["LocalMachine", "HKLM"], hkey_current_user: ["CurrentUser", "HKCU"], hkey_classes_root: ["ClassesRoot", "HKCR"], hkey_users: ["Users", "HKU"], hkey_current_config: ["CurrentConfig", "HKCC"] };

/** A key or value; one of a 32-bit application is looked for in the registry of such, then in the other. */
function registrySubject(source: XmlElement, asSystem: boolean): Subject {
  const hive = hives[attributeOf(source, "Hive").toLowerCase()];
  const [key, name] = [textOf(source, "Key").replace(/^\\+|\\+$/g, ""), textOf(source, "ValueName")];
  if (hive === undefined || key === "" || /["\r\n\0]/.test(`${key}${name}`) || key.length > 500) throw new Unsayable("it asks for a key of the registry that is none");
  if (hive[1] === "HKCU" && !asSystem) throw new Unsayable("it asks for the registry of the user, and steps run as the system");
  const wide = isTrueAttribute(source, "Is64Bit", true);
  const views = wide ? "'Registry64'" : "'Registry32','Registry64'";
  const at = `${hive[0]} ${exactText(key)}`;
  const value = `(Value ${at} ${exactText(name)} ${views})`;
  const isKey = childOf(source, "ValueName") === undefined;
  const path = `${hive[1]}\\${key}`;
  // Between quotation marks cmd.exe still reads %NAME%.
  const narrowRule = (rest: string): SourceDetection => ({ type: "command", command: `reg query "${path}"${rest} /reg:32 || reg query "${path}"${rest} /reg:64` });
  const plain = !/%/.test(path + name) && !path.endsWith("\\");
  if (isKey) return { there: `(Key ${at} ${views})`, ...(plain && { rule: wide ? { type: "registry", key: path } : narrowRule("") }), value: () => undefined };
  const named = plain && name !== "" && !name.endsWith("\\");
  return {
    there: `(${value} -ne $null)`, ...(named && { rule: wide ? { type: "registry", key: path, value: name } : narrowRule(` /v "${name}"`) }),
    value: (property) => (/^(Value|)$/i.test(property) ? value : undefined), ...(named && wide && { equals: (text: string) => ({ type: "registry", key: path, value: name, equals: text }) }),
  };
}

const operators: Readonly<Record<string, string>> = { equals: "-eq", notequals: "-ne", greaterthan: "-gt", greaterequals: "-ge", lessthan: "-lt", lessequals: "-le" };

function comparison(subject: Subject, { operator, constants, type, method, property }: Comparison): Asked {
  const [constant = ""] = constants;
  const word = operator.toLowerCase();
  // Whether it is there at all: how many there are is no nothing, or the console's own words for keys and values.
  const counted = /^Count$/i.test(method);
  const exists = counted ? (word === "notequals" && constant === "0") || (word === "greaterthan" && constant === "0") || (word === "greaterequals" && constant === "1") : /Exists$/i.test(property) && ((word === "equals" && /^true$/i.test(constant)) || (word === "notequals" && /^false$/i.test(constant)));
  if (exists) return { test: subject.there, ...(subject.rule !== undefined && { rule: subject.rule }) };
  if (counted ? word === "equals" && constant === "0" : /Exists$/i.test(property) && word === "equals" && /^false$/i.test(constant)) return { test: `(-not ${subject.there})` };
  if (counted || /Exists$/i.test(property)) throw new Unsayable(`it counts by ${operator.slice(0, 40)}`);
  const value = subject.value(property);
  if (value === undefined) throw new Unsayable(`it compares ${property.slice(0, 60) || "a value"} of what has none`);
  if (word === "equals" && subject.equals !== undefined && constants.length === 1 && constant !== "" && constant.length <= 1000 && (/^String$/i.test(type) || (/^Int64$/i.test(type) && /^\d{1,19}$/.test(constant)))) return { test: compared(value, type, word, constants), rule: subject.equals(constant) };
  return { test: compared(value, type, word, constants) };
}

/** What is not there compares with nothing: neither is it less nor is it another. */
function compared(value: string, type: string, word: string, constants: readonly string[]): string {
  const form = formOf(type);
  const operator = operators[word];
  const given = constants.map(form.constant);
  const [first = "", second] = given;
  const test = operator !== undefined && given.length === 1 ? `$y ${operator} ${first}`
    : word === "between" && second !== undefined ? `$y -ge ${first} -and $y -le ${second}`
      : word === "oneof" && given.length > 0 ? `@(${given.join(",")}) -contains $y`
        : word === "noneof" && given.length > 0 ? `@(${given.join(",")}) -notcontains $y`
          : /^String$/i.test(type) && given.length === 1 ? textTest(word, first) : undefined;
  if (test === undefined) throw new Unsayable(`it compares by ${word.slice(0, 40) || "nothing"}`);
  if (/^DateTime$/i.test(type) && /^(equals|notequals|oneof|noneof)$/.test(word)) throw new Unsayable("it asks for a time to the fraction of a second");
  return `(($x=${value}) -ne $null -and ($y=${form.value}) -ne $null -and ${test})`;
}

function textTest(word: string, constant: string): string | undefined {
  const method = { contains: "Contains", beginswith: "StartsWith", endswith: "EndsWith", notcontains: "Contains", notbeginswith: "StartsWith", notendswith: "EndsWith" }[word];
  return method === undefined ? undefined : `${word.startsWith("not") ? "-not " : ""}$y.ToLowerInvariant().${method}(${constant}.ToLowerInvariant())`;
}

/** How a value is read, and a constant written, by its type. */
function formOf(type: string): { value: string; constant: (text: string) => string } {
  const checked = (pattern: RegExp, write: (text: string) => string) => (text: string) => {
    if (!pattern.test(text)) throw new Unsayable(`it compares with ${JSON.stringify(text.slice(0, 60))}, which is no ${type}`);
    return write(text);
  };
  switch (type.toLowerCase()) {
    case "version":
      return { value: "(Version $x)", constant: checked(/^\d{1,9}(\.\d{1,9}){0,3}$/, (text) => `(Version '${text}')`) };
    case "int64":
      return { value: "($x -as [long])", constant: checked(/^-?\d{1,18}$/, (text) => (text.startsWith("-") ? `(${text})` : text)) };
    case "datetime":
      return { value: "$x", constant: checked(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z?$/, (text) => `([datetime]'${text.replace(/Z?$/, "Z")}').ToUniversalTime()`) };
    case "string":
      return { value: "([string]$x)", constant: checked(/^[^\r\n\0]{0,1000}$/, exactText) };
    default:
      throw new Unsayable(`it compares values of the type ${type.slice(0, 40) || "nothing"}`);
  }
}
