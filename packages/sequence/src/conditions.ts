import { compareVersions, factKey, factText, isVersion, queryOf } from "./facts.ts";
import type { Facts } from "./facts.ts";
import { variableOperators } from "./schema.ts";
import type { Condition, FactCondition, VariableCondition, VariableOperator } from "./schema.ts";
import { expandVariables, variableValue } from "./variables.ts";
import type { Variables } from "./variables.ts";

/** Whether a condition holds, and why, in words for a person. */
export interface Evaluation { holds: boolean; why: string }

/** The one evaluator: the agent's runs, lint and simulation all use it. `facts` are the answers to `factsNeeded`. */
export function evaluateCondition(condition: Condition, variables: Variables, facts: Facts = new Map()): Evaluation {
  if ("all" in condition) {
    const failed = condition.all.map((one) => evaluateCondition(one, variables, facts)).find((one) => !one.holds);
    return failed ?? { holds: true, why: "all conditions hold" };
  }
  if ("any" in condition) {
    const results = condition.any.map((one) => evaluateCondition(one, variables, facts));
    return results.find((one) => one.holds) ?? { holds: false, why: `none of these holds: ${results.map((one) => one.why).join("; ")}` };
  }
  if ("none" in condition) {
    const held = condition.none.map((one) => evaluateCondition(one, variables, facts)).find((one) => one.holds);
    return held === undefined ? { holds: true, why: "none of the conditions holds" } : { holds: false, why: held.why };
  }
  if ("variable" in condition) return decide(condition, condition.variable, variableValue(variables, condition.variable), variables, orderOf);
  const query = queryOf(condition, variables);
  if (query === undefined) return { holds: false, why: "the condition asks for nothing that is known" };
  return decide(condition, factText(query), facts.get(factKey(query)), variables, isVersion(query) ? compareVersions : orderOf);
}

/** What is compared with may hold variables. */
function decide(condition: VariableCondition | FactCondition, what: string, value: string | undefined, variables: Variables, order: (a: string, b: string) => number): Evaluation {
  const shown = value === undefined ? `${what} does not exist` : `${what} is ${JSON.stringify(value)}`;
  if (condition.exists !== undefined) return { holds: value !== undefined, why: shown };
  if (condition.notExists !== undefined) return { holds: value === undefined, why: shown };
  const operator = variableOperators.find((one) => condition[one] !== undefined);
  if (operator === undefined) return { holds: false, why: "the condition has no operator" };
  return { holds: compare(operator, value, expandVariables(String(condition[operator]), variables), order), why: shown };
}

/** A variable that does not exist is unequal to everything, and neither greater nor less. Text is compared without case. */
function compare(operator: VariableOperator, value: string | undefined, with_: string, orderBy: (a: string, b: string) => number): boolean {
  if (operator === "notEquals") return !compare("equals", value, with_, orderBy);
  if (operator === "notLike") return !compare("like", value, with_, orderBy);
  if (value === undefined) return false;
  if (operator === "like") return isLike(value.toLowerCase(), with_.toLowerCase());
  const order = orderBy(value, with_);
  switch (operator) {
    case "equals": return order === 0;
    case "greater": return order > 0;
    case "greaterOrEqual": return order >= 0;
    case "less": return order < 0;
    case "lessOrEqual": return order <= 0;
  }
}

/** Numbers as numbers, everything else as text. */
function orderOf(a: string, b: string): number {
  const number = /^[+-]?\d+(\.\d+)?$/;
  if (number.test(a) && number.test(b)) return compareNumbers(a, b);
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  return left === right ? 0 : left < right ? -1 : 1;
}

/** Decimals of any length, to the last digit: a serial number may have more digits than a floating-point number tells apart. */
function compareNumbers(a: string, b: string): number {
  const digits = (text: string) => (text.split(".")[1] ?? "").length;
  const places = Math.max(digits(a), digits(b));
  const whole = (text: string) => BigInt(text.replace(/^\+/, "").replace(".", "") + "0".repeat(places - digits(text)));
  const [x, y] = [whole(a), whole(b)];
  return x === y ? 0 : x < y ? -1 : 1;
}

/** `*` any text, `?` one character; at most the product of their lengths, so no pattern can hang an evaluation. */
export function isLike(text: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (inPattern < pattern.length && pattern[inPattern] === "*") {
      star = inPattern++;
      resume = at;
    } else if (inPattern < pattern.length && (pattern[inPattern] === "?" || pattern[inPattern] === text[at])) {
      inPattern++;
      at++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[inPattern] === "*") inPattern++;
  return inPattern === pattern.length;
}

/** Whether a computer's model fits a driver package's pattern: without case, `*` for any text, all else, `?` too, for itself. */
export function isLikeModel(model: string, pattern: string): boolean {
  // U+0000 is in no model; for isLike it stands for itself alone.
  const [text, like] = [model, pattern].map((one) => one.toLowerCase().replaceAll("?", "\0"));
  return isLike(text ?? "", like ?? "");
}
