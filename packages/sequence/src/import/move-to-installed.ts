import { placeSteps } from "../lint/place-steps.ts";
import type { Condition, StepInput } from "../schema.ts";

/** What says where in the source a step runs, and no more than that. */
const placeVariables = /^(phase|_smstsinwinpe)$/i;

/**
 * Takes a step from where it cannot run, the boot environment, to the first place after it that is in the installed system for certain;
 * the conditions of the groups it stood in go with it, but not those that say the place.
 * @returns whether it was moved; where it was not, nothing has changed
 */
export function moveToInstalled(steps: StepInput[], id: string, moved: Set<string>): boolean {
  const placed = placeSteps(steps as Parameters<typeof placeSteps>[0]);
  const index = placed.findIndex((one) => one.step.id === id);
  const from = placed[index];
  const target = placed.slice(index + 1).find((one) => one.environments.size === 1 && one.environments.has("installed") && one.step.id !== id && !moved.has(one.step.id) && !one.parents.some((parent) => moved.has(parent.id)));
  if (from === undefined || target === undefined || target.parents.some((parent) => parent.id === id)) return false;
  const conditions = [...from.parents, from.step].map((one) => one.when).filter((one) => one !== undefined).flatMap(withoutPlace);
  if (conditions.some((one) => one === undefined)) return false;
  const group = findStep(steps, target.step.id);
  const old = findStep(steps, id);
  if (group === undefined || old === undefined) return false;
  const [step] = old.list.splice(old.list.findIndex((one) => one.id === id), 1);
  if (step === undefined) return false;
  delete step.when;
  const all = conditions.filter((one) => one !== undefined);
  if (all.length > 0) step.when = all.length === 1 && all[0] !== undefined ? all[0] : { all };
  if (from.parents.some((parent) => parent.continueOnError === true)) step.continueOnError = true;
  // Several that are moved keep their order.
  const list = group.step.steps ?? group.list;
  const at = group.step.steps === undefined ? list.indexOf(group.step) : list.findIndex((one) => !moved.has(one.id));
  list.splice(at < 0 ? list.length : at, 0, step);
  moved.add(id);
  return true;
}

/** The terms of a condition that do not say the place; undefined where one says it together with something else. */
export function withoutPlace(condition: Condition): (Condition | undefined)[] {
  const terms = "all" in condition ? condition.all : [condition];
  return terms.filter((one) => !("variable" in one && placeVariables.test(one.variable))).map((one) => (namesPlace(one) ? undefined : one));
}

function namesPlace(condition: Condition): boolean {
  const inner = "all" in condition ? condition.all : "any" in condition ? condition.any : "none" in condition ? condition.none : [];
  return ("variable" in condition && placeVariables.test(condition.variable)) || inner.some(namesPlace);
}

export function findStep(steps: StepInput[], id: string): { list: StepInput[]; step: StepInput } | undefined {
  for (const step of steps) {
    if (step.id === id) return { list: steps, step };
    const inside = findStep(step.steps ?? [], id);
    if (inside !== undefined) return inside;
  }
  return undefined;
}
