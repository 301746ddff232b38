import type { TaskSequence } from "../schema.ts";
import type { LintFinding, LintKnowledge, LintRule } from "./lint-rule.ts";
import { placeSteps } from "./place-steps.ts";
import { rulesOfContent } from "./rules-of-content.ts";
import { rulesOfCapture } from "./rules-of-capture.ts";
import { rulesOfMedia } from "./rules-of-media.ts";
import { rulesOfRunning } from "./rules-of-running.ts";
import { rulesOfSteps } from "./rules-of-steps.ts";

/** Every rule, by its id. */
export const lintRules: readonly LintRule[] = [...rulesOfSteps, ...rulesOfContent, ...rulesOfRunning, ...rulesOfMedia, ...rulesOfCapture];

/** What the historic traps and the plain mistakes of a sequence are; errors first, then in the order of the steps. */
export function lintSequence(sequence: TaskSequence, knowledge: LintKnowledge = {}): LintFinding[] {
  const context = { ...knowledge, sequence, steps: placeSteps(sequence.steps) };
  const order = new Map(context.steps.map(({ step }, i) => [step.id, i]));
  const findings = lintRules.flatMap((rule) =>
    [...rule.check(context)].map(({ at, message, fix }): LintFinding => ({
      rule: rule.id, level: rule.level, ...(at && { step: { id: at.step.id, name: at.step.name, path: at.parents.map((parent) => parent.name) } }), message, fix,
    })),
  );
  const weight = { error: 0, warning: 1, note: 2 };
  return findings.sort((a, b) => weight[a.level] - weight[b.level] || (order.get(a.step?.id ?? "") ?? -1) - (order.get(b.step?.id ?? "") ?? -1));
}
