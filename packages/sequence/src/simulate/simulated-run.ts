import { isLike } from "../conditions.ts";
import { initialState, mayRetry, nextAction, reduce } from "../engine.ts";
import type { Action, RunState, StepRecord } from "../engine.ts";
import type { RunEnvironment, RunEvent, StepOutcome } from "../events.ts";
import { factKey, factText } from "../facts.ts";
import type { Facts } from "../facts.ts";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import type { Step, TaskSequence } from "../schema.ts";
import type { Platform } from "../steps/index.ts";
import { variablesIn } from "../text-in-settings.ts";
import type { Variable } from "../variables.ts";
import { maySetOthers, variablesSetBy } from "../steps/variables-set.ts";
import { describedFact, isUnanswered } from "./device-description.ts";
import type { DeviceDescription } from "./device-description.ts";
import { changedSince, Doubts } from "./doubts.ts";
import type { Doubt, Moment } from "./doubts.ts";
import { explainStep } from "./explain.ts";
import { foreseeStep, restartTarget } from "./foresee-step.ts";
import type { ForeseenStep } from "./foresee-step.ts";
import type { Given } from "./given.ts";
import { forecast, formOf, isForm, notKnownOf } from "./not-known.ts";
import type { Forecast, NotKnown, SettingStep } from "./not-known.ts";
import { deployedPlatform, placeVariables, systemDrive, targetDrive } from "./place-of-run.ts";
import { faultsOfSteps } from "./would-fail.ts";
import type { SimulatedOutcome, SimulatedStep } from "./simulation.ts";

type OnStep<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** What the engine says of every step. */
const saidOfSteps = ["_SMSTSLastActionName", "_SMSTSLastActionRetCode", "_SMSTSLastActionSucceeded"];

/** What the agent says of the computer and of its site, where nobody has said it before the run. */
const saidByAgent = ["_SMSTSTimezone", "_TSSecureBoot", "_SMSTSAdvertID", "_SMSTSPackageID", "_SMSTSMachineName", "_SMSTSSiteCode"];
const agent: SettingStep = { id: "", name: "the agent", by: "agent" };
const prestart: SettingStep = { id: "", name: "the prestart command", by: "prestart" };

/** A run in thought: the engine asks, and what the description does not say stays in doubt. */
export class SimulatedRun {
  readonly steps: SimulatedStep[] = [];
  readonly notDescribed = new Set<string>();
  state: RunState;
  notKnown: NotKnown = new Map();
  readonly #sequence: TaskSequence;
  readonly #device: DeviceDescription;
  readonly #given: readonly Variable[];
  readonly #knowledge: LintKnowledge;
  readonly #faults: ReadonlyMap<string, string>;
  readonly #doubts: Doubts;
  /** Who set a variable last, by its name in small letters. */
  readonly #setters = new Map<string, SettingStep>();
  /** The state's records of steps, kept here: the reducer copies those it is given, which for each event of a long sequence would be all. */
  readonly #records = new Map<string, StepRecord>();
  readonly #site: Given;
  #facts: Facts = new Map();
  /** Of those, by their keys, what only the computer can answer. */
  readonly #unanswered = new Set<string>();
  #environment: RunEnvironment = "environment";
  #boots = 0;

  constructor(sequence: TaskSequence, device: DeviceDescription, given: readonly Variable[], knowledge: LintKnowledge, site: Given) {
    this.#sequence = sequence;
    this.#device = device;
    this.#given = given;
    this.#knowledge = knowledge;
    this.#faults = faultsOfSteps(sequence, knowledge);
    this.#doubts = new Doubts(sequence.steps);
    this.#site = site;
    this.state = initialState(sequence, given);
    this.#forget(saidByAgent.filter((name) => !this.state.variables.has(name.toLowerCase())), agent);
    this.#beforeTheRun(site.prestart);
  }

  /** The prestart command runs in no sequence; of what it sets its text says the names, or not even those. */
  #beforeTheRun(command: Given["prestart"]): void {
    if (command === undefined) return;
    const step = { type: "run-command-line", with: { command: command.command, ...(command.package !== undefined && { package: command.package }) } };
    this.#forget(variablesSetBy(step).filter((name) => !name.startsWith("_")), prestart);
    if (maySetOthers(step)) this.#doubtWhatIsNotSet(prestart);
  }

  /** The next thing; the outcome at the end. */
  step(): SimulatedOutcome | undefined {
    const action = nextAction(this.state, this.#sequence, this.#facts);
    switch (action.kind) {
      case "begin":
        this.#append({ kind: "sequence-started", environment: this.#environment, bootId: "0" });
        return undefined;
      case "gather":
        this.#gather(action);
        return undefined;
      case "skip":
        this.#skip(action);
        return undefined;
      case "enter-group":
        this.#enter(action);
        return undefined;
      case "leave-group":
        this.#leave(action);
        return undefined;
      case "done-already": // only after an interruption, of which a run in thought has none
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: "succeeded" });
        return undefined;
      case "give-up":
      case "start":
        this.#start(action);
        return undefined;
      case "restart":
        this.#environment = action.to;
        this.#append({ kind: "restarted", environment: action.to, bootId: String(++this.#boots) });
        this.#sayPlace();
        return undefined;
      case "finish":
        this.#forgetChanges(this.#doubts.of(""));
        this.#append({ kind: "sequence-finished", outcome: action.outcome });
        return undefined;
      case "ended":
        return action.outcome === "succeeded" && this.#doubts.of("")?.mayFail === true ? "depends" : action.outcome;
    }
  }

  #gather({ queries }: OnStep<"gather">): void {
    for (const query of queries) {
      const value = describedFact(this.#device, query);
      if (isUnanswered(this.#device, query)) this.#unanswered.add(factKey(query));
      if (value === undefined && notKnownOf(variablesIn(query.name), this.notKnown, this.state.variables) === undefined) this.notDescribed.add(factText(query));
      this.#facts = new Map([...this.#facts, [factKey(query), value]]);
    }
  }

  #skip(action: OnStep<"skip">): void {
    const asked = action.reason === "condition" ? this.#asked(action.step) : { holds: false, why: action.why };
    if (asked.holds === undefined) return action.step.steps === undefined ? this.#leaveOpen(action, asked.why) : this.#enterOpen(action, asked.why);
    this.#tell(action, "skipped", asked.why);
    this.#append({ kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
  }

  #enter(action: OnStep<"enter-group">): void {
    const { step } = action;
    const asked = this.#asked(step);
    if (asked.holds === undefined) return this.#enterOpen(action, asked.why);
    const doubt = this.#doubts.about(step.id);
    this.#tell(action, doubt === undefined ? "group" : "depends", doubt === undefined ? asked.why : `${doubt}: ${asked.why}`);
    this.#append({ kind: "step-started", stepId: step.id, name: step.name, group: true });
  }

  /** What is in it is gone through as if it were run, and is in doubt. */
  #enterOpen(action: OnStep<"enter-group" | "skip">, why: string): void {
    const { step } = action;
    this.#tell(action, "depends", this.#inDoubt(step, why));
    this.#doubts.enter(step.id, `where ${JSON.stringify(step.name)} is run`, this.#moment);
    this.#append({ kind: "step-started", stepId: step.id, name: step.name, group: true });
  }

  #leave(action: OnStep<"leave-group">): void {
    const { step } = action;
    const doubt = this.#doubts.leave(step.id);
    const failed = action.outcome === "failed";
    const open = doubt !== undefined && (doubt.entered || !failed);
    const outcome: SimulatedOutcome = open ? "depends" : action.outcome;
    this.#tell(action, "group-ends", outcome, { outcome });
    this.#forgetChanges(doubt);
    if (open && (failed || doubt.mayFail)) this.#doubts.mayFail(step, this.#moment);
    // A group that may not be run at all fails nothing for certain.
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, group: true, outcome: open ? "succeeded" : action.outcome });
  }

  #start(action: OnStep<"start" | "give-up">): void {
    const { step } = action;
    // Asked once; tried again, or after a restart of its own, it is asked no more.
    const asked = this.state.steps.has(step.id) ? { holds: true, why: "it is run again" } : this.#asked(step);
    if (asked.holds === undefined) return this.#leaveOpen(action, asked.why);
    const seen = this.#foresee(step);
    if (seen.placeOpen !== undefined) return this.#leaveOpen(action, seen.placeOpen);
    const fails = action.kind === "give-up" ? action.why : seen.fails;
    const outcome: StepOutcome = fails === undefined ? "succeeded" : "failed";
    const doubt = this.#doubts.about(step.id);
    const more = { ...shown(seen), ...(fails !== undefined ? { setsWhenRun: [] } : { sets: seen.sets }), outcome, ...(fails !== undefined && { wouldFail: fails }), ...(seen.restart && fails === undefined && { restart: seen.restart }) };
    this.#tell(action, doubt !== undefined ? "depends" : fails === undefined ? "runs" : "fails", doubt === undefined ? (fails ?? asked.why) : `${doubt}: ${asked.why}`, more);
    this.#append({ kind: "step-started", stepId: step.id, name: step.name }, step);
    if (fails === undefined) for (const { name, value } of seen.sets) this.#append({ kind: "variable-set", name, value }, step);
    const retry = outcome === "failed" && mayRetry(this.state, step);
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, outcome, ...(retry && { retry: true as const }), ...(seen.restart && fails === undefined && { restart: seen.restart }) }, step);
    if (fails === undefined) {
      this.#forget([...seen.setsWhenRun, ...this.#placeIfMoved(seen.mayRestartTo)], step);
      if (seen.setsOthers) this.#doubtWhatIsNotSet(step);
    }
    this.#facts = new Map();
  }

  /** A step of which only the run knows whether it runs: the run goes on without it, and what it sets and whether it fails is in doubt. */
  #leaveOpen(action: OnStep<"start" | "give-up" | "skip">, why: string): void {
    const { step } = action;
    const seen = this.#foresee(step);
    const targets = [...seen.mayRestartTo, ...(seen.restart === undefined ? [] : [seen.restart]), ...seen.sets.flatMap(({ name, value }) => restartTarget(name, value))];
    this.#tell(action, "depends", this.#inDoubt(step, why), { ...shown(seen), sets: seen.sets, ...(seen.fails !== undefined && { wouldFail: seen.fails }) });
    this.#append({ kind: "step-skipped", stepId: step.id, name: step.name, reason: "condition" });
    this.#forget([...seen.sets.map(({ name }) => name), ...seen.setsWhenRun, "_SMSTSCurrentActionName", ...saidOfSteps, ...this.#placeIfMoved(targets)], step);
    if (seen.setsOthers) this.#doubtWhatIsNotSet(step);
    if (seen.fails !== undefined || seen.placeOpen !== undefined) this.#doubts.mayFail(step, this.#moment);
    this.#facts = new Map();
  }

  #asked(step: Step): Forecast {
    if (step.when === undefined) return { holds: true, why: "it has no condition" };
    return forecast(step.when, this.state.variables, this.#facts, this.notKnown, this.#unanswered);
  }

  #inDoubt(step: Step, why: string): string {
    const doubt = this.#doubts.about(step.id);
    return doubt === undefined ? why : `${doubt}: ${why}`;
  }

  #foresee(step: Step): ForeseenStep {
    return foreseeStep(step, { device: this.#device, variables: this.state.variables, notKnown: this.notKnown, environment: this.#environment, knowledge: this.#knowledge, given: this.#site, faults: this.#faults });
  }

  #tell({ step, path }: { step: Step; path: string[] }, action: SimulatedStep["action"], why: string, more: Partial<SimulatedStep> = {}): void {
    this.steps.push({ id: step.id, name: step.name, type: step.type, path, environment: this.#environment, action, why, variables: explainStep(step, this.state.variables, this.#given, this.notKnown), content: [], secrets: [], sets: [], setsWhenRun: [], ...more });
  }

  get #moment(): Moment {
    return { variables: this.state.variables, notKnown: this.notKnown };
  }

  /** A restart that may happen makes where the run is a matter of doubt, and what the agent says of that, unless it leads to where it is. */
  #placeIfMoved(targets: readonly RunEnvironment[]): string[] {
    if (!targets.some((to) => to !== this.#environment)) return [];
    return ["_SMSTSInWinPE", ...Object.keys(placeVariables(this.#environment, this.#platform)), ...(this.state.variables.has(targetDrive.toLowerCase()) ? [targetDrive] : [])];
  }

  get #platform(): Platform | undefined {
    return deployedPlatform(this.#device, this.#knowledge);
  }

  /** What the agent does at a start of the computer: it says where the disk is now. */
  #sayPlace(): void {
    const drive = { [targetDrive]: systemDrive(this.#environment, this.#platform) };
    const key = targetDrive.toLowerCase();
    const hasDrive = this.state.variables.has(key) || this.notKnown.get(key)?.by === "agent";
    const places = Object.entries({ ...placeVariables(this.#environment, this.#platform), ...(hasDrive && drive) });
    const [variables, notKnown] = [new Map(this.state.variables), new Map(this.notKnown)];
    const restarted = this.#setters.get("_smstslastactionname");
    for (const [name, value] of places) {
      if (restarted !== undefined) this.#setters.set(name.toLowerCase(), restarted);
      notKnown.delete(name.toLowerCase());
      if (value !== undefined) variables.set(name.toLowerCase(), { name, value, source: name === targetDrive ? "task-sequence" : "system" });
    }
    this.state = { ...this.state, variables };
    this.notKnown = notKnown;
    this.#forget(places.flatMap(([name, value]) => (value === undefined ? [name] : [])), agent);
  }

  /** Their values are known no more; what asks for a restart the engine clears by itself. */
  #forget(names: readonly string[], { id, name, by }: SettingStep): void {
    if (names.length === 0) return;
    const [variables, notKnown] = [new Map(this.state.variables), new Map(this.notKnown)];
    const forms = names.map(formOf).filter(isForm);
    // Any of that form may be it: those that are set, and those that are not yet.
    const meant = [...variables.values()].map((one) => one.name).filter((one) => !one.startsWith("_") && forms.some((form) => isLike(one.toLowerCase(), form.toLowerCase())));
    for (const variable of [...names.map(formOf), ...meant].filter((one) => !/^SMSTS(Reboot|Retry)Requested$/i.test(one))) {
      variables.delete(variable.toLowerCase());
      notKnown.set(variable.toLowerCase(), { id, name, ...(by && { by }), variable });
    }
    this.state = { ...this.state, variables };
    this.notKnown = notKnown;
  }

  /** It may set variables that it does not name. Of those that are set, this is not assumed: a sequence would be nothing but doubt behind it. */
  #doubtWhatIsNotSet({ id, name, by }: SettingStep): void {
    this.notKnown = new Map(this.notKnown).set("*", { id, name, ...(by && { by }), variable: "*" });
  }

  /** What was set in doubt has one of two values from here on. */
  #forgetChanges(doubt: Doubt | undefined): void {
    if (doubt === undefined) return;
    const now = this.#moment;
    for (const key of new Set(doubt.moments.flatMap((moment) => changedSince(moment, now)))) {
      const setter = now.notKnown.get(key) ?? this.#setters.get(key);
      if (setter !== undefined) this.#forget([now.notKnown.get(key)?.variable ?? now.variables.get(key)?.name ?? doubt.moments.map(({ variables }) => variables.get(key)?.name).find((one) => one !== undefined) ?? key], setter);
    }
  }

  #append(event: RunEvent, step?: Step): void {
    const id = "stepId" in event ? event.stepId : "";
    const record = this.#records.get(id);
    const next = reduce({ ...this.state, steps: new Map(record === undefined ? [] : [[id, record]]) }, event);
    for (const [changed, now] of next.steps) this.#records.set(changed, now);
    this.state = { ...next, steps: this.#records };
    const said = event.kind === "variable-set" ? [event.name] : event.kind === "restarted" || event.kind === "sequence-started" ? ["_SMSTSInWinPE"] : "group" in event && event.group === true ? [] : event.kind === "step-started" ? ["_SMSTSCurrentActionName"] : event.kind === "step-finished" ? saidOfSteps : [];
    const notKnown = new Map(this.notKnown);
    for (const name of said.map((one) => one.toLowerCase())) {
      notKnown.delete(name);
      const setter = step ?? (event.kind === "restarted" ? this.#setters.get("_smstslastactionname") : undefined);
      if (setter !== undefined) this.#setters.set(name, { id: setter.id, name: setter.name });
    }
    this.notKnown = notKnown;
  }
}

function shown({ settings, content, secrets, setsWhenRun, windows }: ForeseenStep): Partial<SimulatedStep> {
  return { settings, content, secrets, setsWhenRun, ...(windows && { windows }) };
}
