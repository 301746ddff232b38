import type { Condition } from "../../schema.ts";

type Subject = { hardware: "manufacturer" | "model" | "version" | "serialNumber" | "assetTag" | "uuid" | "chassis" | "processor" | "processorMHz" | "cores" | "memoryMiB" } | { operatingSystem: "name" | "version" | "language" | "architecture" };

/** What a property of a WMI class is here; numbers and words of theirs become ours. */
const properties: Readonly<Record<string, { subject: Subject; value?: (text: string) => string | undefined }>> = {
  "win32_computersystem.manufacturer": { subject: { hardware: "manufacturer" } },
  "win32_computersystem.model": { subject: { hardware: "model" } },
  "win32_computersystem.totalphysicalmemory": { subject: { hardware: "memoryMiB" }, value: bytesAsMiB },
  "win32_computersystemproduct.vendor": { subject: { hardware: "manufacturer" } },
  "win32_computersystemproduct.name": { subject: { hardware: "model" } },
  "win32_computersystemproduct.version": { subject: { hardware: "version" } },
  "win32_computersystemproduct.identifyingnumber": { subject: { hardware: "serialNumber" } },
  "win32_computersystemproduct.uuid": { subject: { hardware: "uuid" } },
  "win32_bios.serialnumber": { subject: { hardware: "serialNumber" } },
  "win32_systemenclosure.smbiosassettag": { subject: { hardware: "assetTag" } },
  "win32_systemenclosure.chassistypes": { subject: { hardware: "chassis" } },
  "win32_processor.name": { subject: { hardware: "processor" } },
  "win32_processor.maxclockspeed": { subject: { hardware: "processorMHz" } },
  "win32_processor.numberofcores": { subject: { hardware: "cores" } },
  "win32_operatingsystem.version": { subject: { operatingSystem: "version" } },
  "win32_operatingsystem.osarchitecture": { subject: { operatingSystem: "architecture" }, value: (text) => (/64/.test(text) ? "x64" : /32/.test(text) ? "x86" : undefined) },
  "win32_operatingsystem.oslanguage": { subject: { operatingSystem: "language" }, value: (text) => languages[text] },
};

/** Windows language numbers in decimal (Win32_OperatingSystem.OSLanguage). */
const languages: Readonly<Record<string, string>> = { 1031: "de-DE", 1033: "en-US", 1036: "fr-FR", 1040: "it-IT", 1041: "ja-JP", 1043: "nl-NL", 1045: "pl-PL", 1046: "pt-BR", 1053: "sv-SE", 2057: "en-GB", 3082: "es-ES", 2070: "pt-PT", 1030: "da-DK", 1035: "fi-FI", 1044: "nb-NO", 1029: "cs-CZ", 1049: "ru-RU", 2052: "zh-CN" };

function bytesAsMiB(text: string): string | undefined {
  return /^\d{1,18}$/.test(text) ? String(Math.round(Number(text) / 2 ** 20)) : undefined;
}

const operators: Readonly<Record<string, string>> = { "=": "equals", "!=": "notEquals", "<>": "notEquals", "<": "less", "<=": "lessOrEqual", ">": "greater", ">=": "greaterOrEqual", like: "like" };

/** A WQL query in our conditions, or why it cannot be one. A query that finds something holds. */
export function translateQuery(query: string): Condition | { refused: string } {
  const [, from, where] = /^\s*select\s+.+?\s+from\s+(\w+)\s*(?:where\s+(.+?))?\s*;?\s*$/is.exec(query) ?? [];
  if (from === undefined) return { refused: "the WMI query is not of the form SELECT ... FROM ... WHERE ..." };
  if (where === undefined) return { refused: `a WMI query of all ${from} asks for nothing` };
  const tokens = where.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]|<>|!=|<=|>=|[<>=]|[^\s()<>=!"']+/g) ?? [];
  if (tokens.length > 400) return { refused: "the WMI query is too long" };
  const parser = new QueryParser(from, tokens);
  try {
    return parser.whole();
  } catch (cause) {
    if (cause instanceof Untranslatable) return { refused: cause.message };
    throw cause;
  }
}

class Untranslatable extends Error {}

/** WQL's WHERE: OR binds less than AND, AND less than NOT. */
class QueryParser {
  readonly #class: string;
  readonly #tokens: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(className: string, tokens: readonly string[]) {
    this.#class = className.toLowerCase();
    this.#tokens = tokens;
  }

  whole(): Condition {
    const condition = this.#or();
    if (this.#at < this.#tokens.length) throw new Untranslatable(`the WMI query has ${this.#tokens[this.#at]?.slice(0, 40)} where it should end`);
    return condition;
  }

  #or(): Condition {
    const all = [this.#and()];
    while (this.#takes("or")) all.push(this.#and());
    const [only] = all;
    return all.length === 1 && only !== undefined ? only : { any: all };
  }

  #and(): Condition {
    const all = [this.#not()];
    while (this.#takes("and")) all.push(this.#not());
    const [only] = all;
    return all.length === 1 && only !== undefined ? only : { all };
  }

  #not(): Condition {
    if (++this.#depth > 40) throw new Untranslatable("the WMI query is too deep");
    try {
      if (this.#takes("not")) return { none: [this.#not()] };
      if (!this.#takes("(")) return this.#comparison();
      const inside = this.#or();
      if (!this.#takes(")")) throw new Untranslatable("the WMI query lacks a )");
      return inside;
    } finally {
      this.#depth--;
    }
  }

  #comparison(): Condition {
    const left = this.#next();
    const negated = this.#takes("not");
    const operator = operators[this.#next().toLowerCase()];
    const right = this.#next();
    const known = properties[`${this.#class}.${left.toLowerCase().replace(/^\w+\./, "")}`];
    if (operator === undefined) throw new Untranslatable(`the WMI query compares ${left.slice(0, 60)} in a way there is none of here`);
    if (known === undefined) throw new Untranslatable(`there is no hardware condition for ${this.#class}.${left.slice(0, 60)}`);
    const text = right.replace(/^["'](.*)["']$/s, "$1").replace(/\\\\/g, "\\");
    const value = known.value === undefined ? text : known.value(text);
    if (value === undefined) throw new Untranslatable(`the WMI query compares with ${text.slice(0, 60)}`);
    const condition = { ...known.subject, [operator]: operator === "like" ? likePattern(text) : value } as unknown as Condition;
    return negated ? { none: [condition] } : condition;
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Untranslatable("the WMI query ends too early");
    return token;
  }

  #takes(word: string): boolean {
    if (this.#tokens[this.#at]?.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }
}

/** `%` any text and `_` one character are `*` and `?` here; sets of characters there are none. */
function likePattern(text: string): string {
  if (/[[\]*?]/.test(text)) throw new Untranslatable(`a pattern such as ${text.slice(0, 60)} cannot be said here`);
  return text.replaceAll("%", "*").replaceAll("_", "?");
}
