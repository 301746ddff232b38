import type { Condition, Step } from "../schema.ts";
import { textsIn, variablesIn } from "../text-in-settings.ts";
import { variableSources, variableValue } from "../variables.ts";
import type { Variable, Variables, VariableSourceName } from "../variables.ts";
import { notKnownOf } from "./not-known.ts";
import type { NotKnown } from "./not-known.ts";

/** A variable as a step finds it: its value, where that comes from, and what it took the place of. `setBy`: the step that sets it when it runs, where no value is known before. */
export interface ExplainedVariable { name: string; value: string | undefined; source?: VariableSourceName; setBy?: string; insteadOf: { value: string; source: VariableSourceName }[] }

/** The variables that a step's settings and its condition name, each once. */
export function explainStep(step: Step, variables: Variables, given: readonly Variable[], notKnown: NotKnown = new Map()): ExplainedVariable[] {
  const names = [...[...textsIn(step.with)].flatMap(({ text }) => variablesIn(text)), ...(step.when === undefined ? [] : [...namesIn(step.when)])];
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()].map((name) => explainVariable(name, variables, given, notKnown));
}

/** Those it asks for, and those that are put into what it compares with or looks for. */
function* namesIn(condition: Condition): Iterable<string> {
  for (const inner of "all" in condition ? condition.all : "any" in condition ? condition.any : "none" in condition ? condition.none : []) yield* namesIn(inner);
  if ("variable" in condition) yield condition.variable;
  if (!("all" in condition || "any" in condition || "none" in condition)) for (const { text } of textsIn(condition)) yield* variablesIn(text);
}

/** Where a variable's value comes from and what it took the place of, the nearest first. */
export function explainVariable(name: string, variables: Variables, given: readonly Variable[], notKnown: NotKnown = new Map()): ExplainedVariable {
  const key = name.toLowerCase();
  const open = notKnownOf([name], notKnown, variables);
  if (open !== undefined) return { name: open.variable, value: undefined, setBy: open.name, insteadOf: [] };
  const found = variables.get(key);
  const others = given.filter((one) => one.name.toLowerCase() === key && one.source !== found?.source && one.value !== "");
  const insteadOf = others.toSorted((a, b) => variableSources.indexOf(b.source) - variableSources.indexOf(a.source)).map(({ value, source }) => ({ value, source }));
  return { name: found?.name ?? name, value: variableValue(variables, name), ...(found && { source: found.source }), insteadOf };
}

/** In words, as simulation prints it and the agent logs it. */
export function explanationText({ value, source, setBy, insteadOf }: ExplainedVariable): string {
  if (setBy !== undefined) return `is not known before the run: the step ${JSON.stringify(setBy)} sets it`;
  if (value === undefined) return "is not set: where it is put in, the text stays as it is";
  const over = insteadOf.map((other) => `${JSON.stringify(other.value)} of ${other.source}`);
  return `= ${JSON.stringify(value)} (${source ?? "task-sequence"}${over.length === 0 ? "" : `, in place of ${over.join(", ")}`})`;
}
