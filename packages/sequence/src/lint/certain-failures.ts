import type { Step, TaskSequence } from "../schema.ts";
import { lintSequence } from "./lint.ts";
import type { LintFinding, LintKnowledge } from "./lint-rule.ts";

/** Rules whose finding fails every run that comes to the step, wherever that is. */
const always: ReadonlySet<string> = new Set(["step-type-unknown", "step-settings-invalid", "step-without-meaning", "variable-read-only", "operating-system-missing", "partition-step-unguarded"]);

/**
 * What no run of a sequence can get past: a reference to nothing, wherever it stands (features.md F137), and a mistake in a step that is always
 * come to and whose failure ends the sequence.
 */
export function certainFailures(sequence: TaskSequence, knowledge: LintKnowledge): LintFinding[] {
  const reached = new Set([...reachedSteps(sequence.steps)].map((step) => step.id));
  return lintSequence(sequence, knowledge).filter((finding) => finding.rule === "reference-to-nothing" || (always.has(finding.rule) && finding.step !== undefined && reached.has(finding.step.id)));
}

/** Those without a condition or a continueOnError, on themselves or on a group they are in. */
function* reachedSteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.disabled === true || step.when !== undefined || step.continueOnError === true) continue;
    yield step;
    if (step.steps !== undefined) yield* reachedSteps(step.steps);
  }
}
