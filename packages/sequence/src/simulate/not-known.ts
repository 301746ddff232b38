import { evaluateCondition } from "../conditions.ts";
import { queryOf } from "../facts.ts";
import type { Facts } from "../facts.ts";
import { variableOperators } from "../schema.ts";
import type { Condition } from "../schema.ts";
import { variablesIn } from "../text-in-settings.ts";
import type { Variables } from "../variables.ts";

/** Who sets a variable whose value only a run can tell. */
export interface SettingStep { id: string; name: string }
/** Such variables, by their names in small letters. */
export type NotKnown = ReadonlyMap<string, SettingStep & { variable: string }>;

/** Whether a condition holds, as far as that can be told before the run. */
export interface Forecast { holds: boolean | undefined; why: string }

/** The one evaluator's answers, and undefined where they would depend on a variable that only the run knows. */
export function forecast(condition: Condition, variables: Variables, facts: Facts, notKnown: NotKnown): Forecast {
  if (notKnown.size === 0) return evaluateCondition(condition, variables, facts);
  const each = (conditions: Condition[]) => conditions.map((one) => forecast(one, variables, facts, notKnown));
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
  const asked = "variable" in condition ? [condition.variable] : variablesIn(queryOf(condition, variables)?.name ?? "");
  const open = notKnownOf([...asked, ...compared], notKnown);
  return open === undefined ? evaluateCondition(condition, variables, facts) : { holds: undefined, why: dependsOn(open) };
}

/** The first of these names that only the run knows. */
export function notKnownOf(names: readonly string[], notKnown: NotKnown): (SettingStep & { variable: string }) | undefined {
  return names.map((name) => notKnown.get(name.toLowerCase())).find((found) => found !== undefined);
}

export function dependsOn({ variable, name }: { variable: string; name: string }): string {
  return `depends on ${variable}, set by the step ${JSON.stringify(name)} at run time`;
}
