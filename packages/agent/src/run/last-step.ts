import { allSteps, expandSettings, restartStep } from "@prestage/sequence";
import type { RunEvent, Step, TaskSequence, Variables } from "@prestage/sequence";
import { withVariables } from "../steps/step-executor.ts";

/** The step that ended last, whatever became of it. */
export function lastStep(sequence: TaskSequence, events: readonly RunEvent[]): Step | undefined {
  const event = events.findLast((one) => one.kind === "step-finished" && one.group !== true);
  return event?.kind === "step-finished" ? [...allSteps(sequence.steps)].find((step) => step.id === event.stepId) : undefined;
}

/** What a restart step says itself; of a step of another kind, nothing. */
export function ownNotice(step: Step | undefined, variables: Variables): { message: string | undefined; seconds: number } | undefined {
  if (step?.type !== restartStep.type) return undefined;
  const parsed = restartStep.settings.safeParse(withVariables(expandSettings(step.with ?? {}, variables), restartStep.variables, variables));
  return parsed.success ? { message: parsed.data.message, seconds: parsed.data.delaySeconds } : undefined;
}

/** The step that failed last, and where its journal says so: where nothing has run since, and a failure there is not gone on after. */
export function failedJust(sequence: TaskSequence, events: readonly RunEvent[]): { step: Step; at: number } | undefined {
  const at = events.findLastIndex((event) => event.kind !== "variable-set" && event.kind !== "restarted" && !(event.kind === "step-finished" && event.group === true));
  const event = events[at];
  if (event?.kind !== "step-finished" || event.outcome !== "failed" || event.retry === true) return undefined;
  const step = lastStep(sequence, events);
  return step === undefined || step.continueOnError === true ? undefined : { step, at };
}

/** Why the sequence failed, as its screen says it. */
export interface RunFailure { step: string; code: string; message: string; next: string; exitCode?: number }

/** What the journal still knows of a failure that this start of the agent has not seen. */
export function earlierFailure(sequence: TaskSequence, events: readonly RunEvent[]): RunFailure {
  const event = events.findLast((one) => one.kind === "step-finished" && one.group !== true && one.outcome === "failed" && one.retry !== true);
  const found = event?.kind === "step-finished" ? event : undefined;
  return {
    step: found?.name ?? sequence.name, code: found?.code ?? "PRESTAGE_AGENT_STEP_FAILED", message: "The task sequence failed before this start of the computer.", next: "See the messages at the site.",
    ...(found?.exitCode !== undefined && { exitCode: found.exitCode }),
  };
}
