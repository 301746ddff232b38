import type { RunEnvironment } from "../events.ts";
import type { Step } from "../schema.ts";
import { maySetOthers, variablesSetBy } from "../steps/variables-set.ts";
import { textsIn } from "../text-in-settings.ts";
import type { PlacedStep } from "./lint-rule.ts";

/** Enabled steps and groups in their order, each with where it can be run: from prestaged media a sequence begins in the boot environment. */
export function placeSteps(steps: readonly Step[]): PlacedStep[] {
  const placed: PlacedStep[] = [];
  walk(steps, [], new Set(["environment"]), placed);
  return placed;
}

/** Returns where the run can be after these steps. */
function walk(steps: readonly Step[], parents: readonly Step[], from: ReadonlySet<RunEnvironment>, placed: PlacedStep[]): ReadonlySet<RunEnvironment> {
  let environments = from;
  for (const step of steps) {
    if (step.disabled === true) continue;
    placed.push({ step, parents, environments: narrowed(step, environments) });
    const inside = narrowed(step, environments);
    const after = step.steps === undefined ? afterStep(step, inside) : walk(step.steps, [...parents, step], inside, placed);
    // A step that may be skipped leaves the run where it was as well.
    environments = step.when === undefined ? after : new Set([...environments, ...after]);
  }
  return environments;
}

function afterStep(step: Step, environments: ReadonlySet<RunEnvironment>): ReadonlySet<RunEnvironment> {
  if (step.type !== "restart") return mayAskForRestart(step) ? new Set(["environment", "installed"]) : environments;
  return new Set([step.with?.["to"] === "environment" ? "environment" : "installed"]);
}

/** It sets SMSTSRebootRequested, or names it where it calls `prestage-variable` in a way that cannot be read; where that leads, its value says when it runs. */
function mayAskForRestart(step: Step): boolean {
  const asks = (text: string) => text.toLowerCase().includes("smstsrebootrequested");
  return variablesSetBy(step).some(asks) || (maySetOthers(step) && [...textsIn(step.with)].some(({ text }) => asks(text)));
}

/** A condition on `_SMSTSInWinPE` says where the step is run. */
function narrowed(step: Step, environments: ReadonlySet<RunEnvironment>): ReadonlySet<RunEnvironment> {
  const conditions = step.when === undefined ? [] : "all" in step.when ? step.when.all : [step.when];
  for (const one of conditions) {
    if (!("variable" in one) || one.variable.toLowerCase() !== "_smstsinwinpe" || one.equals === undefined) continue;
    return new Set([String(one.equals).toLowerCase() === "true" ? "environment" : "installed"]);
  }
  return environments;
}
