import type { Condition } from "./schema.ts";
import { expandVariables } from "./variables.ts";
import type { Variables } from "./variables.ts";

/** What a condition asks of the computer, besides variables. */
export interface FactQuery {
  subject: "file" | "folder" | "registry" | "hardware" | "operatingSystem" | "software";
  /** A path, a registry key, a hardware or system property, a program's name. */
  name: string;
  /** `modified` of a file, the value of a registry key; empty where there is only one. */
  property: string;
}

/** Answers by `factKey`; a key with undefined was asked for and is not there. */
export type Facts = ReadonlyMap<string, string | undefined>;

export function factKey({ subject, name, property }: FactQuery): string {
  return JSON.stringify([subject, name, property]);
}

/** What a condition asks of the computer, each once. */
export function factsNeeded(condition: Condition, variables: Variables): FactQuery[] {
  const found = new Map<string, FactQuery>();
  const visit = (one: Condition): void => {
    const inner = "all" in one ? one.all : "any" in one ? one.any : "none" in one ? one.none : undefined;
    if (inner !== undefined) return inner.forEach(visit);
    const query = queryOf(one, variables);
    if (query !== undefined) found.set(factKey(query), query);
  };
  visit(condition);
  return [...found.values()];
}

/** Undefined for a condition on a variable, or on several conditions. */
export function queryOf(condition: Condition, variables: Variables): FactQuery | undefined {
  if ("file" in condition) return { subject: "file", name: expandVariables(condition.file, variables), property: condition.property ?? "" };
  if ("folder" in condition) return { subject: "folder", name: expandVariables(condition.folder, variables), property: condition.property ?? "" };
  if ("registry" in condition) return { subject: "registry", name: expandVariables(condition.registry, variables), property: condition.value ?? "" };
  if ("hardware" in condition) return { subject: "hardware", name: condition.hardware, property: "" };
  if ("operatingSystem" in condition) return { subject: "operatingSystem", name: condition.operatingSystem, property: "" };
  if ("software" in condition) return { subject: "software", name: expandVariables(condition.software, variables), property: "" };
  return undefined;
}

/** In words for a person. */
export function factText({ subject, name, property }: FactQuery): string {
  if (subject === "hardware") return `hardware ${name}`;
  if (subject === "operatingSystem") return `operating system ${name}`;
  return `${subject} ${name}${property === "" ? "" : ` (${property})`}`;
}

/** Whether a query's answer is a version: compared part by part, not as text. */
export function isVersion({ subject, name, property }: FactQuery): boolean {
  return subject === "software" || (subject === "operatingSystem" && name === "version") || (subject === "file" && property === "version");
}

/**
 * Orders versions as Debian does (Debian Policy 5.6.12): digits as numbers, `~` before the end, letters before other signs; what other
 * systems write (10.0.26100.4349) is ordered by it as well.
 */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [epochOf(a), epochOf(b)];
  return Math.sign(first.epoch - second.epoch) || compareParts(first.rest, second.rest);
}

function epochOf(version: string): { epoch: number; rest: string } {
  const [, epoch, rest] = /^(\d{1,9}):(.*)$/s.exec(version) ?? [];
  return { epoch: Number(epoch ?? 0), rest: rest ?? version };
}

function compareParts(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const weight = (sign: string | undefined) => (sign === undefined ? 0 : sign === "~" ? -1 : /[A-Za-z]/.test(sign) ? (sign.codePointAt(0) ?? 0) : (sign.codePointAt(0) ?? 0) + 256);
  const [left, right] = [parts(a), parts(b)];
  // Digits and other signs take turns; one that begins with digits has nothing before them.
  if (/^\d/.test(a)) left.unshift("");
  if (/^\d/.test(b)) right.unshift("");
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (i % 2 === 1) {
      const order = compareDigits(x, y);
      if (order !== 0) return order;
      continue;
    }
    for (let at = 0; at < Math.max(x.length, y.length); at++) {
      const order = Math.sign(weight(x[at]) - weight(y[at]));
      if (order !== 0) return order;
    }
  }
  return 0;
}

/** Of any length, leading zeros aside. */
function compareDigits(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return Math.sign(x.length - y.length) || (x === y ? 0 : x < y ? -1 : 1);
}
