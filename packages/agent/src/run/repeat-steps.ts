import { allSteps, initialState, replay } from "@prestage/sequence";
import type { Variable } from "@prestage/sequence";
import type { StepExecutor } from "../steps/step-executor.ts";
import type { RunContext } from "./run-context.ts";
import { runStep } from "./run-step.ts";

/**
 * Does again what a start of the computer has undone, such as mounts, in the order it was done and with the variables of that time.
 * The journal has it all already: nothing is written to it, and what such a step sets stays as it is there. A failure is for the next step to meet.
 */
export async function repeatSteps(context: RunContext, executors: ReadonlyMap<string, StepExecutor>, given: readonly Variable[]): Promise<void> {
  const { journal, sequence, log } = context;
  const steps = new Map([...allSteps(sequence.steps)].map((step) => [step.id, step]));
  const ended = new Map(journal.events.flatMap((event, i) => (event.kind === "step-finished" ? [[event.stepId, i] as const] : [])));
  for (const [id, end] of [...ended].toSorted(([, a], [, b]) => a - b)) {
    const step = steps.get(id);
    const event = journal.events[end];
    if (step === undefined || executors.get(step.type)?.everyStart !== true || event?.kind !== "step-finished" || event.outcome !== "succeeded") continue;
    log(`step ${step.name} (${step.type}), again after a start of the computer`);
    const begin = journal.events.findLastIndex((one) => one.kind === "step-started" && one.stepId === id);
    const { variables } = replay(initialState(sequence, given), journal.events.slice(0, begin));
    const { failure } = await runStep({ context, step, executors, variables: () => variables, setVariable: () => undefined, progress: () => undefined });
    if (failure !== undefined) log(`step ${step.name} failed after a start of the computer: ${failure.code}: ${failure.message}`);
  }
}
