import { contentReferences, listedContent, listedValues } from "../content-references.ts";
import type { ContentReference } from "../content-references.ts";
import { SequenceError } from "../error.ts";
import { initialState, mayRetry, nextAction, reduce } from "../engine.ts";
import type { Action, RunState } from "../engine.ts";
import type { RunEnvironment, RunEvent, StepOutcome } from "../events.ts";
import { factKey, factText } from "../facts.ts";
import type { Facts } from "../facts.ts";
import type { Step, TaskSequence } from "../schema.ts";
import { deploysOperatingSystem } from "../operating-system.ts";
import { stepTypeOf } from "../steps/index.ts";
import { shownSurroundings } from "../windows/windows-plan.ts";
import type { WindowsPlan } from "../windows/windows-plan.ts";
import { checkSettable, expandSettings, variableValue } from "../variables.ts";
import type { Variable } from "../variables.ts";
import { explainStep, explainVariable } from "./explain.ts";
import type { ExplainedVariable } from "./explain.ts";
import { describedFact, describedVariables } from "./device-description.ts";
import type { DeviceDescription } from "./device-description.ts";

/** One thing that happens. */
export interface SimulatedStep {
  id: string;
  name: string;
  type: string;
  path: string[];
  environment: RunEnvironment;
  action: "runs" | "skipped" | "fails" | "group" | "group-ends";
  /** Why it runs or not. */
  why: string;
  /** Its settings with variables put in. */
  settings?: unknown;
  /** What it would do on Windows, where the device is described as one. */
  windows?: WindowsPlan;
  /** Variables its settings name. */
  variables: ExplainedVariable[];
  content: ContentReference[];
  /** What is set by it. */
  sets: { name: string; value: string }[];
  outcome?: StepOutcome;
  restart?: RunEnvironment;
}

export interface Simulation { steps: SimulatedStep[]; outcome: StepOutcome; variables: ExplainedVariable[]; /** Asked of the computer and not described. */ notDescribed: string[] }

/** A described computer cannot restart for ever. */
const mostActions = 10_000;

/**
 * Runs a sequence in thought: with the engine and the evaluator of a real run, on a described computer whose steps all succeed, but for those
 * it says fail and those that cannot run where they are.
 */
export function simulate(sequence: TaskSequence, device: DeviceDescription, system: readonly Variable[] = []): Simulation {
  const given = [...builtIn(sequence), ...system, ...describedVariables(device)];
  const run = new SimulatedRun(sequence, device, given);
  for (let count = 0; count < mostActions; count++) {
    const outcome = run.step();
    if (outcome !== undefined) return { steps: run.steps, outcome, variables: [...run.state.variables.keys()].toSorted().map((key) => explainVariable(key, run.state.variables, given)), notDescribed: [...run.notDescribed] };
  }
  return { steps: run.steps, outcome: "failed", variables: [], notDescribed: [...run.notDescribed] };
}

class SimulatedRun {
  readonly steps: SimulatedStep[] = [];
  readonly notDescribed = new Set<string>();
  state: RunState;
  readonly #sequence: TaskSequence;
  readonly #device: DeviceDescription;
  readonly #given: readonly Variable[];
  #facts: Facts = new Map();
  #environment: RunEnvironment = "environment";
  #boots = 0;

  constructor(sequence: TaskSequence, device: DeviceDescription, given: readonly Variable[]) {
    this.#sequence = sequence;
    this.#device = device;
    this.#given = given;
    this.state = initialState(sequence, given);
  }

  /** The next thing; the outcome at the end. */
  step(): StepOutcome | undefined {
    const action = nextAction(this.state, this.#sequence, this.#facts);
    switch (action.kind) {
      case "begin":
        this.#append({ kind: "sequence-started", environment: this.#environment, bootId: "0" });
        return undefined;
      case "gather":
        for (const query of action.queries) {
          const value = describedFact(this.#device, query);
          if (value === undefined) this.notDescribed.add(factText(query));
          this.#facts = new Map([...this.#facts, [factKey(query), value]]);
        }
        return undefined;
      case "skip":
        this.#tell(action, "skipped", action.why);
        this.#append({ kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
        return undefined;
      case "enter-group":
        this.#tell(action, "group", action.step.when === undefined ? "it has no condition" : "its condition holds");
        this.#append({ kind: "step-started", stepId: action.step.id, name: action.step.name, group: true });
        return undefined;
      case "leave-group":
        this.#tell(action, "group-ends", action.outcome, { outcome: action.outcome });
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, group: true, outcome: action.outcome });
        return undefined;
      case "done-already": // only after an interruption, of which a run in thought has none
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: "succeeded" });
        return undefined;
      case "give-up":
      case "start":
        this.#run(action);
        return undefined;
      case "restart":
        this.#environment = action.to;
        this.#append({ kind: "restarted", environment: action.to, bootId: String(++this.#boots) });
        return undefined;
      case "finish":
        this.#append({ kind: "sequence-finished", outcome: action.outcome });
        return undefined;
      case "ended":
        return action.outcome;
    }
  }

  #run(action: Extract<Action, { kind: "start" | "give-up" }>): void {
    const { step } = action;
    const allowed = stepTypeOf(step.type)?.environments;
    const wrong = allowed === undefined ? `there is no step type ${step.type}` : allowed.includes(this.#environment) ? undefined : `it cannot run in the ${this.#environment === "installed" ? "installed system" : "boot environment"}`;
    const settings = expandSettings(step.with ?? {}, this.state.variables) as Record<string, unknown>;
    const refused = wrong ?? (step.type === "set-variable" ? refusedVariable(String(settings["name"]), String(settings["value"])) : undefined);
    const outcome: StepOutcome = refused !== undefined || action.kind === "give-up" ? "failed" : (this.#device.outcomes[step.id] ?? "succeeded");
    const why = refused ?? (outcome === "failed" ? "it is described to fail" : step.when === undefined ? "it has no condition" : "its condition holds");
    const sets = outcome === "succeeded" && step.type === "set-variable" ? [{ name: String(settings["name"]), value: String(settings["value"]) }] : [];
    const restart = outcome === "succeeded" && step.type === "restart" ? (settings["to"] === "environment" ? "environment" : "installed") : undefined;
    const windows = this.#onWindows(step, settings);
    this.#tell(action, outcome === "succeeded" ? "runs" : "fails", why, { settings, sets, outcome, ...(restart && { restart }), ...(windows && { windows }) });
    this.#append({ kind: "step-started", stepId: step.id, name: step.name });
    for (const { name, value } of sets) this.#append({ kind: "variable-set", name, value });
    const retry = outcome === "failed" && mayRetry(this.state, step);
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, outcome, ...(retry && { retry: true as const }), ...(restart && { restart }) });
    this.#facts = new Map();
  }

  /** Where the described system is Windows: what the step's programs and files would be. */
  #onWindows(step: Step, settings: Record<string, unknown>): WindowsPlan | undefined {
    if (!/^windows/i.test(this.#device.operatingSystem.name ?? "")) return undefined;
    const definition = stepTypeOf(step.type);
    const given = { ...settings, ...Object.fromEntries(Object.entries(definition?.variables ?? {}).flatMap(([setting, name]) => (settings[setting] !== undefined || variableValue(this.state.variables, name) === undefined ? [] : [[setting, variableValue(this.state.variables, name)]]))) };
    const parsed = definition?.settings.safeParse(given);
    const plan = parsed?.success === true && (this.#environment === "installed" || definition?.environments.includes("installed") === false) ? definition?.windows?.(parsed.data, shownSurroundings) : undefined;
    return typeof plan === "object" ? plan : undefined;
  }

  #tell({ step, path }: { step: Step; path: string[] }, action: SimulatedStep["action"], why: string, more: Partial<SimulatedStep> = {}): void {
    const content = action === "skipped" || step.steps !== undefined ? [] : contentReferences({ name: this.#sequence.name, steps: [{ ...step, with: expandSettings(step.with ?? {}, this.state.variables) as NonNullable<Step["with"]> }] }).concat(this.#listed(step));
    this.steps.push({ id: step.id, name: step.name, type: step.type, path, environment: this.#environment, action, why, variables: explainStep(step, this.state.variables, this.#given), content, sets: [], ...more });
  }

  /** What the variables of a dynamic list name, to the first that is not set. */
  #listed(step: Step): ContentReference[] {
    const base = step.with?.["baseVariable"];
    if (typeof base !== "string") return [];
    const valueOf = (name: string) => variableValue(this.state.variables, name);
    const values = ([2, 3] as const).flatMap((digits) => listedValues(base, digits, valueOf));
    return listedContent([base], values.map((value, i) => ({ name: `${base}${String(i + 1).padStart(3, "0")}`, value })));
  }

  #append(event: RunEvent): void {
    this.state = reduce(this.state, event);
  }
}

/** Why a run would not set it. */
function refusedVariable(name: string, value: string): string | undefined {
  try {
    checkSettable(name, value);
    return undefined;
  } catch (cause) {
    if (cause instanceof SequenceError) return cause.message;
    throw cause;
  }
}

/** What the engine says in every run from prestaged media. */
function builtIn(sequence: TaskSequence): Variable[] {
  const own = { _SMSTSMediaType: "OEMMedia", _SMSTSLaunchMode: "HD", _SMSTSBootUEFI: "true", _SMSTSPackageName: sequence.name, _SMSTSType: deploysOperatingSystem(sequence) ? "2" : "1", ...(sequence.id !== undefined && { _SMSTSPackageID: sequence.id }) };
  return Object.entries(own).map(([name, value]) => ({ name, value, source: "system" as const }));
}
