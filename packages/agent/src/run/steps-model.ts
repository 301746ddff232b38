import { allSteps } from "@prestage/sequence";
import type { RunState, Step, TaskSequence } from "@prestage/sequence";
import type { RunSettings } from "./run-settings.ts";
import type { StepsModel, StepState } from "../screens/view.ts";

/** What the screen shows of a run: its steps without the groups; what can no longer run counts as skipped. */
export function stepsModel(sequence: TaskSequence, state: RunState, details: ReadonlyMap<string, string>, progress: StepsModel["progress"], { progress: count, hideProgress }: Pick<RunSettings, "progress" | "hideProgress"> = { progress: "steps", hideProgress: false }): StepsModel {
  const steps: StepsModel["steps"] = [];
  const add = (step: Step, passedOver: boolean): void => {
    const record = state.steps.get(step.id)?.state;
    if (step.steps !== undefined) {
      const over = passedOver || step.disabled === true || (record !== undefined && record !== "running");
      for (const child of step.steps) add(child, over);
      return;
    }
    const detail = details.get(step.id);
    const shown: StepState = record ?? (passedOver || step.disabled === true || state.status === "failed" ? "skipped" : "waiting");
    steps.push({ name: step.name, state: shown, ...(detail !== undefined && { detail }) });
  };
  for (const step of sequence.steps) add(step, false);
  return { sequence: sequence.name, steps, ...(progress && { progress }), ...(count !== "steps" && { count }), ...(hideProgress && { hidden: true }) };
}

/** The place of a step among those the screen counts, from 1, and how many there are. */
export function placeOf(sequence: TaskSequence, id: string): { number: number; of: number } {
  const steps = [...allSteps(sequence.steps)].filter((step) => step.steps === undefined);
  return { number: steps.findIndex((step) => step.id === id) + 1, of: steps.length };
}
