import type { LintKnowledge } from "../lint/lint-rule.ts";
import type { Step, TaskSequence } from "../schema.ts";
import { deploysOperatingSystem } from "../operating-system.ts";
import type { Variable } from "../variables.ts";
import { explainVariable } from "./explain.ts";
import { describedFact, describedVariables } from "./device-description.ts";
import type { DeviceDescription } from "./device-description.ts";
import type { Given } from "./given.ts";
import { isForm } from "./not-known.ts";
import { placeVariables } from "./place-of-run.ts";
import { SimulatedRun } from "./simulated-run.ts";
import type { SimulatedOutcome, Simulation } from "./simulation.ts";

/**
 * Runs a sequence in thought: with the engine and the evaluator of a real run, on a described computer whose steps all succeed, but for those
 * it says fail and those that certainly would. What a step finds out when it runs is known to nobody before: what depends on it is neither run nor skipped.
 * `system`: what the agent says of itself, as far as the site can say it before.
 */
export function simulate(sequence: TaskSequence, device: DeviceDescription, system: readonly Variable[] = [], knowledge: LintKnowledge = {}, site: Given = {}): Simulation {
  const given = [...builtIn(sequence, device), ...system, ...(site.variables ?? []), ...describedVariables(device)];
  const run = new SimulatedRun(sequence, device, given, knowledge, site);
  const ended = (outcome: SimulatedOutcome, keys: Iterable<string>): Simulation => ({
    steps: run.steps, outcome, variables: [...keys].toSorted().map((key) => explainVariable(key, run.state.variables, given, run.notKnown)), notDescribed: [...run.notDescribed], notReached: [...notReached(sequence.steps, run)],
  });
  // The engine ends it: tries and restarts of a step are counted, whatever the step asks for.
  for (;;) {
    const outcome = run.step();
    if (outcome !== undefined) return ended(outcome, [...run.state.variables.keys(), ...[...run.notKnown.keys()].filter((key) => !isForm(key))]);
  }
}

function* notReached(steps: readonly Step[], { state }: Pick<SimulatedRun, "state">): Generator<{ id: string; name: string }> {
  for (const step of steps) {
    if (step.disabled === true || state.steps.get(step.id)?.state === "skipped") continue;
    if (step.steps !== undefined) yield* notReached(step.steps, { state });
    else if (!state.steps.has(step.id)) yield { id: step.id, name: step.name };
  }
}

/** What the engine says in every run from prestaged media. */
function builtIn(sequence: TaskSequence, device: DeviceDescription): Variable[] {
  const secureBoot = describedFact(device, { subject: "hardware", name: "secureBoot", property: "" });
  const own = {
    ...placeVariables("environment", undefined), ...(secureBoot !== undefined && { _TSSecureBoot: secureBoot }), _SMSTSMediaType: "OEMMedia", _SMSTSLaunchMode: "HD", _SMSTSBootUEFI: "true", _SMSTSPackageName: sequence.name, _SMSTSType: deploysOperatingSystem(sequence) ? "2" : "1", ...(sequence.id !== undefined && { _SMSTSPackageID: sequence.id }),
  };
  return Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value, source: "system" as const }]));
}
