import { SequenceError } from "./error.ts";
import { evaluateCondition } from "./conditions.ts";
import { factKey, factsNeeded } from "./facts.ts";
import type { FactQuery, Facts } from "./facts.ts";
import type { RunEnvironment, RunEvent, StepOutcome } from "./events.ts";
import type { Step, TaskSequence } from "./schema.ts";
import { makeVariables, variableValue, withVariable } from "./variables.ts";
import type { Variable, Variables } from "./variables.ts";

/** `failures`: how often it failed and was run again; `waiting`: it failed and waits for the next try; `restarts`: how often it asked for a restart and to be run again after it. */
export interface StepRecord { state: "running" | StepOutcome | "skipped"; /** How often it was started. */ starts: number; failures?: number; waiting?: boolean; restarts?: number }

/** A step that was interrupted this often - a power cut each time, or a program that restarts the computer by itself - is given up. */
export const mostInterruptions = 10;
/** A step that asks for a restart and to be run again after it, this often, would do so for ever. */
export const mostRestarts = 20;

/** A run, as its journal says. Plain data: the same events give the same state. */
export interface RunState {
  status: "waiting" | "running" | StepOutcome;
  /** Of the steps and groups that were started or skipped. */
  steps: ReadonlyMap<string, StepRecord>;
  variables: Variables;
  /** A restart that was asked for and has not happened yet. */
  restart: { to: RunEnvironment } | undefined;
  /** How many restarts that were asked for have happened. */
  restarts: number;
  /** Tells one start of the machine from the next. */
  bootId: string | undefined;
}

/** What to do now. Each is journalled (as the event it leads to) before it is acted on. */
export type Action =
  | { kind: "begin" }
  | { kind: "skip"; step: Step; path: string[]; reason: "disabled" | "condition"; why: string }
  | { kind: "enter-group"; step: Step; path: string[] }
  | { kind: "leave-group"; step: Step; path: string[]; outcome: StepOutcome }
  | { kind: "gather"; step: Step; queries: FactQuery[] }
  | { kind: "start"; step: Step; path: string[]; /** It was started before and did not end: run it again. */ again: boolean; /** From 1; more than that: it failed before and is tried again. */ attempt: number }
  | { kind: "give-up"; step: Step; path: string[]; why: string }
  /** It was interrupted, and its probe says that it was done. */
  | { kind: "done-already"; step: Step; path: string[]; why: string }
  | { kind: "restart"; to: RunEnvironment }
  | { kind: "finish"; outcome: StepOutcome }
  | { kind: "ended"; outcome: StepOutcome };

export function initialState(_sequence: TaskSequence, variables: readonly Variable[]): RunState {
  return { status: "waiting", steps: new Map(), variables: makeVariables(variables), restart: undefined, restarts: 0, bootId: undefined };
}

/** The next thing to do; a pure function of the state and of what is known of the computer. `gather` asks for what is not known yet. */
export function nextAction(state: RunState, sequence: TaskSequence, facts: Facts = new Map()): Action {
  if (state.status === "waiting") return { kind: "begin" };
  if (state.status !== "running") return { kind: "ended", outcome: state.status };
  if (state.restart !== undefined) return { kind: "restart", to: state.restart.to };
  const found = walk(state, facts, sequence.steps, []);
  return typeof found === "string" ? { kind: "finish", outcome: found } : found;
}

/** The first thing left to do among these steps, or how they ended: a failure without continueOnError ends them at once. */
function walk(state: RunState, facts: Facts, steps: readonly Step[], path: string[]): Action | StepOutcome {
  for (const step of steps) {
    const record = state.steps.get(step.id);
    if (record === undefined) return enter(state, facts, step, path);
    if (record.state === "running") {
      if (step.steps === undefined) return startAgain(state, facts, step, path, record);
      const inside = walk(state, facts, step.steps, [...path, step.name]);
      return typeof inside === "string" ? { kind: "leave-group", step, path, outcome: inside } : inside;
    }
    if (record.state === "failed" && step.continueOnError !== true) return "failed";
  }
  return "succeeded";
}

function startAgain(state: RunState, facts: Facts, step: Step, path: string[], record: StepRecord): Action {
  const { starts, failures = 0, waiting = false } = record;
  if (step.once !== undefined && !waiting) {
    const queries = factsNeeded(step.once, state.variables).filter((query) => !facts.has(factKey(query)));
    if (queries.length > 0) return { kind: "gather", step, queries };
    const { holds, why } = evaluateCondition(step.once, state.variables, facts);
    if (holds) return { kind: "done-already", step, path, why };
  }
  if (starts - failures > mostInterruptions) return { kind: "give-up", step, path, why: `it was interrupted ${starts - failures} times and never ended` };
  return { kind: "start", step, path, again: !waiting, attempt: failures + 1 };
}

/** Whether a step that has failed now is tried once more. */
export function mayRetry(state: RunState, step: Step): boolean {
  return (state.steps.get(step.id)?.failures ?? 0) < (step.retry?.times ?? 0);
}

function enter(state: RunState, facts: Facts, step: Step, path: string[]): Action {
  if (step.disabled === true) return { kind: "skip", step, path, reason: "disabled", why: "the step is disabled" };
  const queries = step.when === undefined ? [] : factsNeeded(step.when, state.variables).filter((query) => !facts.has(factKey(query)));
  if (queries.length > 0) return { kind: "gather", step, queries };
  const evaluation = step.when === undefined ? undefined : evaluateCondition(step.when, state.variables, facts);
  if (evaluation?.holds === false) return { kind: "skip", step, path, reason: "condition", why: evaluation.why };
  return step.steps === undefined ? { kind: "start", step, path, again: false, attempt: 1 } : { kind: "enter-group", step, path };
}

/**
 * The state after an event.
 * @throws SequenceError PRESTAGE_SEQUENCE_EVENT_UNEXPECTED
 */
export function reduce(state: RunState, event: RunEvent): RunState {
  expect(event.kind === "sequence-started" ? state.status === "waiting" : state.status === "running", state, event);
  switch (event.kind) {
    case "sequence-started":
      return { ...inEnvironment(state, event.environment), status: "running", bootId: event.bootId };
    case "step-started": {
      const before = state.steps.get(event.stepId);
      expect(before === undefined || before.state === "running", state, event);
      const next = withRecord(state, event.stepId, { ...before, state: "running", starts: (before?.starts ?? 0) + 1, waiting: false });
      if (event.group === true) return next;
      // What an attempt that was interrupted asked for is not asked for by this one.
      const interrupted = before !== undefined && before.starts > 0 && before.waiting !== true;
      return says(next, { _SMSTSCurrentActionName: event.name, ...(interrupted && { SMSTSRebootRequested: "", SMSTSRetryRequested: "" }) });
    }
    case "step-finished":
      return finishStep(state, event);
    case "step-skipped":
      expect(!state.steps.has(event.stepId), state, event);
      return withRecord(state, event.stepId, { state: "skipped", starts: 0 });
    case "variable-set":
      return { ...state, variables: withVariable(state.variables, { name: event.name, value: event.value, source: "task-sequence" }) };
    case "moved": {
      const steps = new Map(state.steps);
      for (const id of event.forget) steps.delete(id);
      for (const id of event.skip) steps.set(id, { state: "skipped", starts: 0 });
      for (const id of event.enter) steps.set(id, { state: "running", starts: 1 });
      return { ...state, steps };
    }
    case "restart-requested":
      return { ...state, restart: { to: event.to } };
    case "restarted":
      return afterRestart(state, event);
    case "sequence-finished":
      return { ...state, status: event.outcome };
  }
}

/** The state after all of a journal's events. */
export function replay(state: RunState, events: readonly RunEvent[]): RunState {
  return events.reduce(reduce, state);
}

/** What the step leaves: its outcome, the reference's variables, and a restart it asked for by its answer or by SMSTSRebootRequested (F193-F195). */
function finishStep(state: RunState, event: Extract<RunEvent, { kind: "step-finished" }>): RunState {
  const record = state.steps.get(event.stepId);
  expect(record?.state === "running", state, event);
  const waits = event.retry === true && event.outcome === "failed";
  let next = withRecord(state, event.stepId, { ...record, state: waits ? "running" : event.outcome, starts: record?.starts ?? 1, ...(waits && { failures: (record?.failures ?? 0) + 1, waiting: true }) });
  if (event.group === true) return next;
  next = says(next, {
    _SMSTSLastActionName: event.name,
    _SMSTSLastActionRetCode: String(event.exitCode ?? (event.outcome === "succeeded" ? 0 : 1)),
    _SMSTSLastActionSucceeded: event.outcome === "succeeded" ? "true" : "false",
  });
  const requested = requestedRestart(next.variables);
  const to = event.restart ?? requested;
  if (to === undefined) return next;
  const again = variableValue(next.variables, "SMSTSRetryRequested")?.toLowerCase() === "true";
  const restarts = (record?.restarts ?? 0) + 1;
  if (again && restarts <= mostRestarts) next = withRecord(next, event.stepId, { state: "running", starts: 0, waiting: true, restarts });
  else if (again) next = withRecord(next, event.stepId, { state: "failed", starts: record?.starts ?? 1, restarts });
  return { ...says(next, { SMSTSRebootRequested: "", SMSTSRetryRequested: "" }), restart: { to } };
}

function requestedRestart(variables: Variables): RunEnvironment | undefined {
  const value = variableValue(variables, "SMSTSRebootRequested")?.toLowerCase();
  if (value === "hd" || value === "true") return "installed";
  return value === "winpe" ? "environment" : undefined;
}

/** A restart has happened when the machine is where it should be, in another start than before; a power cut before the boot switch leaves it asked for. */
function afterRestart(state: RunState, event: Extract<RunEvent, { kind: "restarted" }>): RunState {
  const next = { ...inEnvironment(state, event.environment), bootId: event.bootId };
  const done = state.restart?.to === event.environment && state.bootId !== event.bootId;
  return done ? { ...next, restart: undefined, restarts: state.restarts + 1 } : next;
}

function inEnvironment(state: RunState, environment: RunEnvironment): RunState {
  return says(state, { _SMSTSInWinPE: environment === "environment" ? "true" : "false" });
}

function says(state: RunState, values: Record<string, string>): RunState {
  let { variables } = state;
  for (const [name, value] of Object.entries(values)) variables = withVariable(variables, { name, value: value.slice(0, 4000), source: "system" });
  return { ...state, variables };
}

function withRecord(state: RunState, id: string, record: StepRecord): RunState {
  return { ...state, steps: new Map(state.steps).set(id, record) };
}

function expect(holds: boolean, state: RunState, event: RunEvent): void {
  if (holds) return;
  const at = "stepId" in event ? ` of step ${event.stepId} (${state.steps.get(event.stepId)?.state ?? "not started"})` : "";
  throw new SequenceError("PRESTAGE_SEQUENCE_EVENT_UNEXPECTED", `Expected an event that fits a run that is ${state.status}; found ${event.kind}${at}. The journal does not belong to this task sequence.`);
}
