import { SequenceError } from "./error.ts";
import type { RunState } from "./engine.ts";
import type { RunEvent } from "./events.ts";
import type { Step, TaskSequence } from "./schema.ts";
import type { Variables } from "./variables.ts";

/** When a run holds for a person (features.md F209). */
export interface DebugSettings { everyStep: boolean; onError: boolean }

/** `true` alone, and not by what was asked of a person at the computer: who has the prestart command's screen is not who may hold a deployment. */
export function debugSettings(variables: Variables): DebugSettings {
  const isOn = (name: string) => {
    const found = variables.get(name.toLowerCase());
    return found?.value.trim().toLowerCase() === "true" && found.source !== "prestart";
  };
  return { everyStep: isOn("TSDebugMode"), onError: isOn("TSDebugOnError") };
}

type Moved = Extract<RunEvent, { kind: "moved" }>;

/**
 * What has to be journalled so that a run goes on at this step, back or forth ("Set Current" of the reference's debugger): what lies before it and has not ended well is
 * passed over, the groups it is in are entered whatever their conditions say, and it and what comes after it have not run.
 * @throws SequenceError PRESTAGE_SEQUENCE_EVENT_UNEXPECTED: there is no such step, or it is a group
 */
export function moveTo(sequence: TaskSequence, state: RunState, stepId: string): Moved {
  const moved: Moved = { kind: "moved", stepId, skip: [], enter: [], forget: [] };
  let reached = false;
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      const record = state.steps.get(step.id);
      if (reached || step.id === stepId) {
        reached = true;
        if (record !== undefined) moved.forget.push(step.id);
        if (step.steps !== undefined) visit(step.steps);
      } else if (step.steps !== undefined && holds(step.steps, stepId)) {
        moved.enter.push(step.id);
        visit(step.steps);
      } else if (record === undefined || record.state === "running" || (record.state === "failed" && step.continueOnError !== true)) moved.skip.push(step.id);
    }
  };
  visit(sequence.steps);
  if (!reached || isGroup(sequence.steps, stepId)) throw new SequenceError("PRESTAGE_SEQUENCE_EVENT_UNEXPECTED", `Expected a step to go on at; found ${JSON.stringify(stepId.slice(0, 128))}, which is ${reached ? "a group" : "not of this task sequence"}.`);
  return moved;
}

function holds(steps: readonly Step[], id: string): boolean {
  return steps.some((step) => step.id === id || (step.steps !== undefined && holds(step.steps, id)));
}

function isGroup(steps: readonly Step[], id: string): boolean {
  return steps.some((step) => (step.steps === undefined ? false : step.id === id || isGroup(step.steps, id)));
}
