import { conditionSchema } from "../../schema.ts";
import type { Condition } from "../../schema.ts";
import { isSecretName, redact } from "../redact.ts";
import { attributeOf, childrenOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { translateQuery } from "./translate-query.ts";

export type TranslatedCondition = { condition: Condition | undefined } | { refused: string };

const operators: Readonly<Record<string, string>> = {
  equals: "equals", notequals: "notEquals", greater: "greater", greaterequal: "greaterOrEqual", greaterequals: "greaterOrEqual", less: "less", lessequal: "lessOrEqual", lessequals: "lessOrEqual",
  exists: "exists", notexists: "notExists", like: "like", notlike: "notLike",
};

class Untranslatable extends Error {}

/** A step's or group's `<condition>`; undefined where it asks for nothing, as MDT's empty ones. */
export function translateCondition(element: XmlElement | undefined): TranslatedCondition {
  if (element === undefined) return { condition: undefined };
  try {
    const condition = together("and", element.children.flatMap(translate));
    if (condition === undefined) return { condition };
    const checked = conditionSchema.safeParse(condition);
    return checked.success ? { condition: checked.data } : { refused: `its condition cannot be said here: ${checked.error.issues[0]?.message ?? "it is not valid"}` };
  } catch (cause) {
    if (cause instanceof Untranslatable) return { refused: `its condition cannot be said here: ${cause.message}` };
    throw cause;
  }
}

/** `and`, `or`, `not` over there: all, any, none of them. */
function together(type: string, conditions: Condition[]): Condition | undefined {
  const [only] = conditions;
  if (only === undefined) return undefined;
  switch (type.toLowerCase()) {
    case "not":
      return { none: conditions };
    case "or":
      return conditions.length === 1 ? only : { any: conditions };
    case "and":
    case "":
      return conditions.length === 1 ? only : { all: conditions };
    default:
      throw new Untranslatable(`it is put together by ${type.slice(0, 40)}`);
  }
}

function translate(element: XmlElement): Condition[] {
  switch (element.name.toLowerCase()) {
    case "operator":
    case "osconditiongroup":
    case "oslanguagegroup": {
      const inside = together(attributeOf(element, "type") || (element.name === "operator" ? "and" : "or"), element.children.flatMap(translate));
      return inside === undefined ? [] : [inside];
    }
    case "osexpressiongroup": {
      const inside = together("and", element.children.flatMap(translate));
      return [inside ?? namedSystem(attributeOf(element, "name"))];
    }
    case "expression":
      return expression(element);
    case "variable":
      return [];
    default:
      throw new Untranslatable(`it has <${element.name.slice(0, 40)}>`);
  }
}

function expression(element: XmlElement): Condition[] {
  const type = attributeOf(element, "type").replace(/^SMS_TaskSequence_/, "");
  const given = new Map(childrenOf(element, "variable").map((one) => [attributeOf(one, "name").toLowerCase(), one.text.trim()]));
  const value = (name: string) => given.get(name.toLowerCase()) ?? "";
  switch (type) {
    case "VariableConditionExpression":
      // MDT's editor leaves expressions behind that ask for nothing.
      if (value("Variable") === "" && value("Operator") === "") return [];
      return [comparison({ variable: value("Variable") }, value("Operator"), value("Value"))];
    case "WMIConditionExpression": {
      const condition = translateQuery(value("Query"));
      if ("refused" in condition) throw new Untranslatable(condition.refused);
      return [condition];
    }
    case "FileConditionExpression":
      return dated({ file: value("Path") }, value, true);
    case "FolderConditionExpression":
      return dated({ folder: value("Path") }, value, false);
    case "RegistryConditionExpression": {
      const key = value("KeyPath").replace(/^HKEY_LOCAL_MACHINE/i, "HKLM").replace(/^HKEY_CURRENT_USER/i, "HKCU").replace(/^HKEY_CLASSES_ROOT/i, "HKCR").replace(/^HKEY_USERS/i, "HKU").replace(/^HKEY_CURRENT_CONFIG/i, "HKCC");
      return [comparison({ registry: key, ...(value("Value") !== "" && { value: value("Value") }) }, value("Operator"), value("Data"))];
    }
    case "SoftwareConditionExpression": {
      const name = value("ProductName");
      if (name === "") throw new Untranslatable("it asks for software by its code alone");
      return [/any/i.test(value("Operator")) || value("Version") === "" ? ({ software: name, exists: true }) : { software: name, equals: value("Version") }];
    }
    case "OSConditionExpression":
      return [namedSystem(value("Name") || attributeOf(element, "name"))];
    default:
      throw new Untranslatable(`it asks by ${type.slice(0, 80) || "nothing"}`);
  }
}

/** Files and folders: that they are there, and what else is asked of them. */
function dated(subject: { file: string } | { folder: string }, value: (name: string) => string, versioned: boolean): Condition[] {
  const asked: Condition[] = [];
  if (versioned && value("Version") !== "") asked.push(comparison({ ...subject, property: "version" }, value("VersionOperator"), value("Version")));
  if (value("DateTime") !== "") {
    // CIM_DATETIME: yyyymmddHHMMSS.mmmmmm+minutes, written in UTC by the console.
    const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(value("DateTime")) ?? [];
    if (year === undefined) throw new Untranslatable(`a time such as ${value("DateTime").slice(0, 40)}`);
    asked.push(comparison({ ...subject, property: "modified" }, value("DateTimeOperator"), `${year}-${month}-${day}T${hour}:${minute}:${second}Z`));
  }
  return asked.length === 0 ? [{ ...subject, exists: true }] : asked;
}

/** What does not exist is empty over there: equal to nothing but an empty value. */
function comparison(subject: Record<string, string>, operatorName: string, value: string): Condition {
  const operator = operators[operatorName.toLowerCase()];
  if (operator === undefined) throw new Untranslatable(`it compares by ${operatorName.slice(0, 40) || "nothing"}`);
  if (operator === "exists" || (operator === "notEquals" && value === "")) return { ...subject, exists: true } as unknown as Condition;
  if (operator === "notExists" || (operator === "equals" && value === "")) return { ...subject, notExists: true } as unknown as Condition;
  if ((subject["variable"] !== undefined && isSecretName(subject["variable"])) || redact(value).found) throw new Untranslatable("it compares with what looks like a password, which is left out");
  return { ...subject, [operator]: value } as unknown as Condition;
}

/** The same as a condition of its own; undefined for a name that means nothing here. */
export function conditionOfSystem(name: string): Condition | undefined {
  try {
    return namedSystem(name);
  } catch (cause) {
    if (cause instanceof Untranslatable) return undefined;
    throw cause;
  }
}

/** "All Windows 11 (64-bit)", "All x64 Windows 10 Client" and the like. */
function namedSystem(name: string): Condition {
  const [, before, release, behind] = /^(?:All )?(?:x(64|86) )?Windows (7|8|8\.1|10|11)(?: Client)?(?: \((?:x)?(64|86|32)(?:[- ]bit)?\))?(?: Client)?$/i.exec(name.trim()) ?? [];
  const bits = behind ?? before;
  const versions: Readonly<Record<string, Condition>> = {
    "7": { operatingSystem: "version", like: "6.1.*" }, "8": { operatingSystem: "version", like: "6.2.*" }, "8.1": { operatingSystem: "version", like: "6.3.*" },
    // Windows 11 begins with build 22000.
    "10": { all: [{ operatingSystem: "version", greaterOrEqual: "10.0.10240" }, { operatingSystem: "version", less: "10.0.22000" }] }, "11": { operatingSystem: "version", greaterOrEqual: "10.0.22000" },
  };
  const version = release === undefined ? undefined : versions[release];
  if (version === undefined) throw new Untranslatable(`it asks for the system ${name.slice(0, 80) || "without a name"}`);
  const architecture: Condition[] = bits === undefined ? [] : [{ operatingSystem: "architecture", equals: bits === "64" ? "x64" : "x86" }];
  return { all: [{ operatingSystem: "name", equals: "Windows" }, version, ...architecture] };
}
