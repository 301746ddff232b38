import { evaluateCondition, isLike } from "../conditions.ts";
import { factKey, factText, queryOf } from "../facts.ts";
import type { Facts } from "../facts.ts";
import { variableOperators } from "../schema.ts";
import type { Condition } from "../schema.ts";
import { variablesIn } from "../text-in-settings.ts";
import type { Variables } from "../variables.ts";

/** Who sets a variable whose value only a run can tell: a step, or `by` the agent itself or the media's prestart command. */
export interface SettingStep { id: string; name: string; by?: "agent" | "prestart" }
/**
 * Such variables, by their names in small letters. A name with `*` in it stands for every one of that form that is not set: a step may set it, and what
 * its name is only the run knows.
 */
export type NotKnown = ReadonlyMap<string, SettingStep & { variable: string }>;

/** Whether a condition holds, as far as that can be told before the run. */
export interface Forecast { holds: boolean | undefined; why: string }

/** The one evaluator's answers, and undefined where they would depend on a variable that only the run knows, or on an answer of the computer (`unanswered`, by its key) that only it can give. */
export function forecast(condition: Condition, variables: Variables, facts: Facts, notKnown: NotKnown, unanswered: ReadonlySet<string> = new Set()): Forecast {
  if (notKnown.size === 0 && unanswered.size === 0) return evaluateCondition(condition, variables, facts);
  const each = (conditions: Condition[]) => conditions.map((one) => forecast(one, variables, facts, notKnown, unanswered));
  const first = (results: Forecast[], wanted: boolean | undefined) => results.find(({ holds }) => holds === wanted);
  if ("all" in condition) {
    const results = each(condition.all);
    return first(results, false) ?? first(results, undefined) ?? { holds: true, why: "all conditions hold" };
  }
  if ("any" in condition) {
    const results = each(condition.any);
    return first(results, true) ?? first(results, undefined) ?? { holds: false, why: `none of these holds: ${results.map(({ why }) => why).join("; ")}` };
  }
  if ("none" in condition) {
    const results = each(condition.none);
    const held = first(results, true);
    return held === undefined ? (first(results, undefined) ?? { holds: true, why: "none of the conditions holds" }) : { holds: false, why: held.why };
  }
  const operator = variableOperators.find((one) => condition[one] !== undefined);
  const compared = operator === undefined ? [] : variablesIn(String(condition[operator]));
  const query = queryOf(condition, variables);
  const asked = "variable" in condition ? [condition.variable] : variablesIn(query?.name ?? "");
  const open = notKnownOf([...asked, ...compared], notKnown, variables);
  if (open === undefined && query !== undefined && unanswered.has(factKey(query))) return { holds: undefined, why: `depends on ${factText(query)}, which only the computer can say` };
  return open === undefined ? evaluateCondition(condition, variables, facts) : { holds: undefined, why: dependsOn(open) };
}

/** A name that only the run knows, and who sets it; `may`: perhaps nobody does. */
export type OpenVariable = SettingStep & { variable: string; may?: true };

/** The first of these names that only the run knows. */
export function notKnownOf(names: readonly string[], notKnown: NotKnown, variables: Variables): OpenVariable | undefined {
  return notKnown.size === 0 ? undefined : names.map((name) => notKnown.get(name.toLowerCase()) ?? mayBeSet(name, notKnown, variables)).find((found) => found !== undefined);
}

/** What is not set may be, by a step that does not say which variables it sets; the engine's own it cannot. */
function mayBeSet(variable: string, notKnown: NotKnown, variables: Variables): OpenVariable | undefined {
  const key = variable.toLowerCase();
  if (key.startsWith("_") || variables.has(key)) return undefined;
  for (const [pattern, { id, name, by }] of notKnown) if (isForm(pattern) && isLike(key, pattern)) return { id, name, ...(by && { by }), variable, may: true };
  return undefined;
}

/** Whether a name stands for every name of a form. */
export function isForm(name: string): boolean {
  return name.includes("*");
}

/** The form of a name that holds variables which only the run knows. */
export function formOf(name: string): string {
  return name.replace(/%[A-Za-z_][A-Za-z0-9_.-]{0,255}%/g, "*");
}

export function dependsOn({ variable, name, by, may }: Pick<OpenVariable, "variable" | "name" | "by" | "may">): string {
  const setter = setterText({ name, ...(by && { by }) });
  return may === true ? `${variable} may be set by ${setter} at run time` : `depends on ${variable}, set by ${setter} at run time`;
}

/** In words, who sets it. */
export function setterText({ name, by }: Pick<SettingStep, "name" | "by">): string {
  return by === undefined ? `the step ${JSON.stringify(name)}` : by === "agent" ? "the agent" : "the media's prestart command";
}
