import type { Condition, Step } from "../schema.ts";
import { textsIn, variablesIn } from "../text-in-settings.ts";
import { variableSources, variableValue } from "../variables.ts";
import type { Variable, Variables, VariableSourceName } from "../variables.ts";
import { notKnownOf, setterText } from "./not-known.ts";
import type { NotKnown, SettingStep } from "./not-known.ts";

/** Where a value comes from; `of`: whose it is where the source has several, such as the collection. */
interface Origin { value: string; source: VariableSourceName; of?: string }

/**
 * A variable as a step finds it: its value, where that comes from, and what it took the place of. `setBy`: the step that sets it when it runs, where no
 * value is known before; `by`: that it is no step that does.
 */
export interface ExplainedVariable { name: string; value: string | undefined; source?: VariableSourceName; of?: string; setBy?: string; by?: NonNullable<SettingStep["by"]>; insteadOf: Origin[] }

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
  if (open !== undefined) return { name: open.variable, value: undefined, setBy: open.name, ...(open.by && { by: open.by }), insteadOf: [] };
  const found = variables.get(key);
  const others = given.filter((one) => one.name.toLowerCase() === key && (one.source !== found?.source || one.of !== found.of) && one.value !== "");
  // Of one source the later wins.
  const insteadOf = others.toReversed().toSorted((a, b) => variableSources.indexOf(b.source) - variableSources.indexOf(a.source)).map(({ value, source, of }) => ({ value, source, ...(of !== undefined && { of }) }));
  return { name: found?.name ?? name, value: variableValue(variables, name), ...(found && { source: found.source, ...(found.of !== undefined && { of: found.of }) }), insteadOf };
}

/** In words, as simulation prints it and the agent logs it. */
export function explanationText({ value, source, of, setBy, by, insteadOf }: ExplainedVariable): string {
  if (setBy !== undefined) return `is not known before the run: ${setterText({ name: setBy, ...(by && { by }) })} sets it`;
  if (value === undefined) return "is not set: where it is put in, the text stays as it is";
  const over = insteadOf.map((other) => `${JSON.stringify(other.value)} of ${whose(other.source, other.of)}`);
  return `= ${JSON.stringify(value)} (${whose(source ?? "task-sequence", of)}${over.length === 0 ? "" : `, in place of ${over.join(", ")}`})`;
}

function whose(source: VariableSourceName, of: string | undefined): string {
  return of === undefined ? source : `${source} ${of}`;
}
