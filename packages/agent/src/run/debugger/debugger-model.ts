import { allSteps, checkSettable } from "@prestage/sequence";
import type { RunState, Step, TaskSequence, Variables } from "@prestage/sequence";
import { keyOf } from "../../screens/keys.ts";
import { editText } from "../../screens/password-entry.ts";
import type { Text } from "../../screens/texts/en.ts";
import type { DebuggerView, StepState } from "../../screens/view.ts";

/** Why the run holds. */
export type HeldAt = { kind: "before"; step: Step } | { kind: "failed"; step: Step; code: string };

/** What a person has the run do. */
export type DebuggerCommand = { kind: "step" } | { kind: "run" } | { kind: "detach" } | { kind: "cancel" } | { kind: "move"; stepId: string } | { kind: "set"; name: string; value: string };

/** What the screen is made of; `breakpoints` outlive one hold. */
export interface DebuggerModel {
  held: HeldAt;
  pane: "steps" | "variables";
  selected: number;
  variable: number;
  breakpoints: ReadonlySet<string>;
  entry: { name: string; value: string; part: "name" | "value" } | undefined;
  note: Text | undefined;
  /** It was asked whether the sequence is to fail; only the same key again means it. */
  cancelling: boolean;
}

export interface DebuggerFacts { sequence: TaskSequence; state: RunState }

const page = 10;
/** Their values are nobody's to read on a screen, though no secret of the site is ever a variable. */
const maskedName = /passw|pwd|token|secret|productkey|pincode/i;

/** Held anew: the step that is next is marked and chosen. */
export function holdAt(held: HeldAt, { sequence }: DebuggerFacts, breakpoints: ReadonlySet<string>): DebuggerModel {
  const selected = [...allSteps(sequence.steps)].findIndex((step) => step.id === held.step.id);
  return { held, pane: "steps", selected: Math.max(0, selected), variable: 0, breakpoints, entry: undefined, note: undefined, cancelling: false };
}

/** The model after one key, and what it has the run do. */
export function pressed(model: DebuggerModel, key: string, facts: DebuggerFacts): { model: DebuggerModel; command?: DebuggerCommand } {
  if (model.entry !== undefined) return typedInto({ ...model, note: undefined }, model.entry, key, facts);
  const plain = { ...model, note: undefined, cancelling: false };
  const { kind } = keyOf(key);
  const letter = key.toLowerCase();
  if (letter === "s") return { model: plain, command: { kind: "step" } };
  if (letter === "r") return { model: plain, command: { kind: "run" } };
  if (letter === "q") return { model: plain, command: { kind: "detach" } };
  if (letter === "x") return model.cancelling ? { model: plain, command: { kind: "cancel" } } : { model: { ...plain, cancelling: true, note: (texts) => texts.debugCancelSure } };
  if (letter === "v" || key === "\t") return { model: { ...plain, pane: model.pane === "steps" ? "variables" : "steps" } };
  if (letter === "n") return { model: { ...plain, entry: { name: "", value: "", part: "name" } } };
  return model.pane === "steps" ? onSteps(plain, kind, letter, facts) : { model: onVariables(plain, kind, letter, facts) };
}

function onSteps(model: DebuggerModel, kind: string, letter: string, { sequence }: DebuggerFacts): { model: DebuggerModel; command?: DebuggerCommand } {
  const steps = [...allSteps(sequence.steps)];
  const step = steps[model.selected];
  if (letter === "b" && step !== undefined) {
    const breakpoints = new Set(model.breakpoints);
    if (!breakpoints.delete(step.id)) breakpoints.add(step.id);
    return { model: { ...model, breakpoints } };
  }
  if (letter === "c" && step !== undefined) return step.steps === undefined ? { model, command: { kind: "move", stepId: step.id } } : { model: { ...model, note: (texts) => texts.debugGroup } };
  return { model: { ...model, selected: moved(model.selected, kind, steps.length) } };
}

function onVariables(model: DebuggerModel, kind: string, letter: string, { state }: DebuggerFacts): DebuggerModel {
  const found = inOrder(state.variables)[model.variable];
  if ((kind === "enter" || letter === "e") && found !== undefined) {
    if (found.name.startsWith("_")) return { ...model, note: (texts) => texts.debugReadOnly(found.name) };
    // What is masked is typed anew.
    return { ...model, entry: { name: found.name, value: maskedName.test(found.name) ? "" : found.value, part: "value" } };
  }
  return { ...model, variable: moved(model.variable, kind, state.variables.size) };
}

function moved(from: number, kind: string, count: number): number {
  const by = { up: -1, down: 1, "page-up": -page, "page-down": page, home: -count, end: count }[kind] ?? 0;
  return Math.max(0, Math.min(count - 1, from + by));
}

function typedInto(model: DebuggerModel, entry: NonNullable<DebuggerModel["entry"]>, key: string, { state }: DebuggerFacts): { model: DebuggerModel; command?: DebuggerCommand } {
  const { kind } = keyOf(key);
  if (kind === "escape") return { model: { ...model, entry: undefined } };
  if (kind !== "enter") return { model: { ...model, entry: { ...entry, [entry.part]: editText(entry[entry.part], key, entry.part === "name" ? 256 : 4000) } } };
  try {
    checkSettable(entry.name, entry.value);
  } catch {
    return { model: { ...model, note: (texts) => (entry.name.startsWith("_") ? texts.debugReadOnly(entry.name) : texts.debugBadName) } };
  }
  if (entry.part === "name") return { model: { ...model, entry: { ...entry, value: maskedName.test(entry.name) ? "" : (state.variables.get(entry.name.toLowerCase())?.value ?? ""), part: "value" } } };
  return { model: { ...model, entry: undefined }, command: { kind: "set", name: entry.name, value: entry.value } };
}

function inOrder(variables: Variables) {
  return [...variables.values()].toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

/** What the screen draws of it. */
export function debuggerView(model: DebuggerModel, { sequence, state }: DebuggerFacts): DebuggerView {
  const { held, pane, selected, variable, entry, note } = model;
  const steps: DebuggerView["steps"] = [];
  const add = (step: Step, depth: number): void => {
    const record = state.steps.get(step.id)?.state;
    const shown: StepState = record ?? (step.disabled === true ? "skipped" : "waiting");
    steps.push({ name: step.name, depth, state: shown, group: step.steps !== undefined, next: step.id === held.step.id, breakpoint: model.breakpoints.has(step.id) });
    for (const child of step.steps ?? []) add(child, depth + 1);
  };
  for (const step of sequence.steps) add(step, 0);
  const variables = inOrder(state.variables).map(({ name, value, source }) => ({ name, value: maskedName.test(name) ? "********" : value, source }));
  const shownEntry = entry === undefined ? undefined : { ...entry, value: maskedName.test(entry.name) && entry.part === "value" ? "*".repeat(entry.value.length) : entry.value };
  return {
    kind: "debugger", failed: held.kind === "failed", title: (texts) => (held.kind === "failed" ? texts.debugFailed(held.step.name, held.code) : texts.debugBefore(held.step.name)),
    pane, steps, selected, variables, variable, ...(shownEntry && { entry: shownEntry }), ...(note !== undefined && { note }),
  };
}
