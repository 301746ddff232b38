import { SequenceError } from "../../error.ts";
import { isSecretName } from "../redact.ts";
import { attributeOf, childOf, childrenOf, readXmlText } from "../../read-xml.ts";
import { isTrue } from "../source-sequence.ts";
import type { JsonSettings } from "../translation.ts";

/** The rules of Set Dynamic Variables (features.md F208), an XML text of their own within the step's setting. */
export function translateDynamicRules(text: string): { rules: JsonSettings[]; notes: string[] } | { refused: string } {
  if (text.trim() === "") return { rules: [], notes: [] };
  try {
    const rules: JsonSettings[] = [];
    for (const rule of childrenOf(readXmlText(text), "Rule")) {
      const expression = childOf(childOf(rule, "condition"), "expression");
      const asked = expression === undefined ? undefined : condition(attributeOf(expression, "type"), new Map(childrenOf(expression, "variable").map((one) => [attributeOf(one, "name").toLowerCase(), one.text.trim()])));
      if (asked === undefined) return { refused: "one of its rules asks for something there is none of here" };
      const set: Record<string, string> = {};
      for (const variable of childrenOf(childOf(rule, "Variables"), "Variable")) {
        const name = attributeOf(variable, "Name");
        const value = variable.text.trim();
        if (isTrue(attributeOf(variable, "IsSecret")) || (isSecretName(name) && value !== "")) return { refused: `the value of ${name} is secret and left out: keep it at the site (prestage secret)` };
        if (name !== "") set[name] = value;
      }
      rules.push({ ...asked, set });
    }
    return { rules, notes: [] };
  } catch (cause) {
    if (cause instanceof SequenceError) return { refused: `its rules cannot be read: ${cause.message}` };
    throw cause;
  }
}

function condition(type: string, given: ReadonlyMap<string, string>): JsonSettings | undefined {
  const value = (name: string) => given.get(name) ?? "";
  const pairs = (names: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(names).filter(([, theirs]) => value(theirs) !== "").map(([ours, theirs]) => [ours, value(theirs)]));
  switch (type.replace(/^SMS_TaskSequence_/, "").replace(/ConditionExpression$/, "")) {
    case "Computer": {
      const computer = pairs({ serialNumber: "serialnumber", assetTag: "assettag", uuid: "uuid", macAddress: "macaddress" });
      return Object.keys(computer).length === 0 ? undefined : { computer };
    }
    case "Location": {
      const gateway = [...given.values()].find((one) => one !== "");
      return gateway === undefined ? undefined : { location: gateway };
    }
    case "MakeModel":
      return value("make") === "" && value("model") === "" ? undefined : { make: value("make") || "*", model: value("model") || "*" };
    case "Variable": {
      const operator = value("operator").toLowerCase();
      return value("variable") === "" || (operator !== "equals" && operator !== "like") || value("value") === "" ? undefined : { variable: { name: value("variable"), equals: value("value") } };
    }
    default:
      return undefined;
  }
}
