import type { ContentReference } from "../content-references.ts";
import type { RunEnvironment, StepOutcome } from "../events.ts";
import type { WindowsPlan } from "../windows/windows-plan.ts";
import type { ExplainedVariable } from "./explain.ts";
import type { HiddenVariable } from "./given.ts";

/** One thing that happens. */
export interface SimulatedStep {
  id: string;
  name: string;
  type: string;
  path: string[];
  environment: RunEnvironment;
  /** depends: whether it runs is known only to a run. */
  action: "runs" | "skipped" | "fails" | "depends" | "group" | "group-ends";
  /** Why it runs or not. */
  why: string;
  /** Why it would fail; with `depends`, if it ran. */
  wouldFail?: string;
  /** Its settings with variables put in. */
  settings?: unknown;
  /** What it would do on Windows, where the device is described as one. */
  windows?: WindowsPlan;
  /** Variables its settings name. */
  variables: ExplainedVariable[];
  content: ContentReference[];
  /** Secrets it asks for; whose they are, where that is known. */
  secrets: (Pick<HiddenVariable, "name"> & Partial<HiddenVariable>)[];
  /** What is set by it. */
  sets: { name: string; value: string }[];
  /** What it sets to values that only the run knows. */
  setsWhenRun: string[];
  outcome?: SimulatedOutcome;
  restart?: RunEnvironment;
}

/** depends: it would succeed unless a step fails of which only a run knows whether it runs. */
export type SimulatedOutcome = StepOutcome | "depends";

export interface Simulation {
  steps: SimulatedStep[];
  outcome: SimulatedOutcome;
  /** At the end. */
  variables: ExplainedVariable[];
  /** Asked of the computer and not described: taken as not there, or known to nobody before the run, as the description says. */
  notDescribed: string[];
  /** Enabled steps that are not come to, since the sequence or their group has ended before. */
  notReached: { id: string; name: string }[];
}
