import { attributeOf, childOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import type { Condition } from "../../schema.ts";
import { within } from "./application-digest.ts";
import { conditionOfSystem } from "../conditions/translate-condition.ts";

/** What a deployment type requires: the systems as a condition of ours, and what is to be said of the rest. */
export interface Required { condition?: Condition; notes: string[]; /** No 64-bit system is among them. */ only32Bit: boolean }

/** Builds of Windows Server, whose versions a client has as well. */
const servers: Readonly<Record<string, string>> = { "2008_r2": "6.1.*", "2012": "6.2.*", "2012_r2": "6.3.*", "2016": "10.0.14393*", "2019": "10.0.17763*", "2022": "10.0.20348*", "2025": "10.0.26100*" };

/** The rules of a deployment type: systems are carried over, as far as they can be said; everything else is named. */
export function requirementsOf(deploymentType: XmlElement): Required {
  const rules = childrenOf(childOf(deploymentType, "Requirements"), "Rule");
  const conditions: Condition[] = [];
  const notes: string[] = [];
  let only32Bit = false;
  for (const rule of rules) {
    const expression = childOf(rule, "OperatingSystemExpression");
    const operator = textOf(expression, "Operator").toLowerCase();
    const ids = within(expression, "RuleExpression").map((one) => attributeOf(one, "RuleId")).filter((id) => id !== "");
    if (expression === undefined || ids.length === 0 || (operator !== "oneof" && operator !== "noneof")) {
      notes.push(`not carried over: its requirement ${nameOfRule(rule)}`);
      continue;
    }
    const known = ids.flatMap((id) => systemOf(id) ?? []);
    const unknown = ids.filter((id) => systemOf(id) === undefined);
    only32Bit ||= operator === "oneof" && ids.every((id) => /\/(All_)?x86_/i.test(id));
    if (known.length > 0) conditions.push(operator === "noneof" ? { none: known.slice(0, 100) } : oneOf(known.slice(0, 100)));
    if (known.length > 0) notes.push(operator === "noneof" ? "not in the systems it excludes; a server of such a version counts as one" : "only in the systems it requires; a server of such a version counts as one");
    if (unknown.length > 0) notes.push(`not carried over: ${known.length > 0 ? "some of the systems" : "the systems"} it ${operator === "oneof" ? "requires" : "excludes"}, which cannot be said here: ${unknown.map((id) => id.replace(/^Windows\//, "")).join(", ").slice(0, 300)}${known.length > 0 || operator === "noneof" ? "" : "; it is installed in any"}`);
  }
  const [only] = conditions;
  return { notes, only32Bit, ...(only !== undefined && { condition: conditions.length === 1 ? only : { all: conditions } }) };
}

function oneOf(known: readonly Condition[]): Condition {
  const [only] = known;
  return known.length === 1 && only !== undefined ? only : { any: [...known] };
}

function nameOfRule(rule: XmlElement): string {
  const annotation = childOf(childOf(rule, "Annotation"), "DisplayName");
  return (annotation === undefined ? "" : attributeOf(annotation, "Text").slice(0, 300)) || attributeOf(rule, "id").slice(0, 100) || "without a name";
}

/** `Windows/All_x64_Windows_10_and_higher_Clients`, `Windows/x64_Windows_7_SP1`, `Windows/All_x64_Windows_Server_2019_and_higher`. */
function systemOf(id: string): Condition | undefined {
  const name = id.replace(/^Windows\//i, "");
  const [, bits, release, higher] = /^(?:All_)?x(64|86)_Windows_(7|8|8\.1|10|11)(_and_higher)?(?:_(?:Clients?|SP1))?$/i.exec(name) ?? [];
  if (bits !== undefined && release !== undefined) {
    if (higher === undefined || release !== "10") return conditionOfSystem(`All Windows ${release} (${bits === "64" ? "64" : "32"}-bit)`);
    return { all: [{ operatingSystem: "name", equals: "Windows" }, { operatingSystem: "version", greaterOrEqual: "10.0.10240" }, { operatingSystem: "architecture", equals: bits === "64" ? "x64" : "x86" }] };
  }
  const [, server, serverHigher] = /^(?:All_)?x64_Windows_Server_(2008_R2|2012|2012_R2|2016|2019|2022|2025)(?:_(?:SP1|original_release))?(_and_higher)?$/i.exec(name) ?? [];
  const version = server === undefined ? undefined : servers[server.toLowerCase()];
  if (version === undefined) return undefined;
  return { all: [{ operatingSystem: "name", equals: "Windows" }, { operatingSystem: "version", ...(serverHigher === undefined ? { like: version } : { greaterOrEqual: version.replace(/\.?\*$/, "") }) }, { operatingSystem: "architecture", equals: "x64" }] };
}
