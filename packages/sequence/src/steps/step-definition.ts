import type { z } from "zod";
import type { RunEnvironment } from "../events.ts";
import type { Variables } from "../variables.ts";
import type { WindowsPlan, WindowsSurroundings } from "../windows/windows-plan.ts";

export type Platform = "linux" | "windows";

/** What a step type is: the one place that lint, simulation, the schema for editors, the documentation and the agent take it from. */
export interface StepDefinition<T = unknown> {
  type: string;
  /** As the field calls it. */
  title: string;
  /** The steps of Configuration Manager that it stands for, and with MDT before them those of MDT; none: they have no such step. */
  reference: readonly string[];
  /** What it does, in a sentence or two. */
  summary: string;
  /** Where it may run; elsewhere it fails. */
  environments: readonly RunEnvironment[];
  /** Of which deployed system it means something. */
  platforms: readonly Platform[];
  /** Where it may run of those where the deployed system is Windows: the boot environment is Linux all the same. */
  environmentsOnWindows: readonly RunEnvironment[];
  /** And where it is Linux. */
  environmentsOnLinux: readonly RunEnvironment[];
  /** Its settings, once variables are put in. */
  settings: z.ZodType<T>;
  /** Settings that are taken from a variable where the step leaves them out. */
  variables: Readonly<Record<string, string>>;
  /** Settings left out that several variables say together. Throws a SequenceError for what they cannot mean. */
  fromVariables?(variables: Variables): Readonly<Record<string, unknown>>;
  /** Variables it sets, and what they say. */
  sets: Readonly<Record<string, string>>;
  /** The names its settings hold of variables that it sets besides. The settings are as they are written. */
  setsNamed?(settings: Readonly<Record<string, unknown>>): string[];
  /** Whether it may set variables that its settings do not say: by `prestage-variable`, in what cannot be read before it runs. */
  setsOthers?(settings: Readonly<Record<string, unknown>>): boolean;
  /** Which variables of its own it sets with these settings; left out: those of `sets`. */
  setsWith?(settings: Readonly<Record<string, unknown>>): string[];
  /** What is set to a value that is known before the step runs; empty: it is deleted. */
  setsTo?(settings: Readonly<Record<string, unknown>>): { name: string; value: string }[];
  /** Why it may be run again after it was interrupted. */
  again: string;
  /** What can go wrong, by code. */
  errors: readonly string[];
  /** No computer meets it: the site puts something else in its place. */
  mergedAtSite: boolean;
  /** One step, as YAML. */
  example: string;
  /**
   * What it does on Windows where that is files, commands and answers; pure, so that it can be shown and checked without one. A text says that these
   * settings mean nothing there. (A method, so that a list of definitions may hold settings of every kind.)
   */
  windows?(settings: T, at: WindowsSurroundings): WindowsPlan | string;
}

type Optional = "reference" | "mergedAtSite" | "variables" | "sets" | "platforms" | "environmentsOnWindows" | "environmentsOnLinux" | "errors" | "windows" | "fromVariables" | "setsNamed" | "setsOthers" | "setsWith" | "setsTo";
type Given<T> = { settings: z.ZodType<T> } & Omit<StepDefinition<NoInfer<T>>, Optional | "settings"> & Partial<Pick<StepDefinition<NoInfer<T>>, Optional>>;

/** Every step may fail by these: its settings, its place, its time, its own failure. */
const common = ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_ENVIRONMENT", "PRESTAGE_AGENT_STEP_TIME_LIMIT", "PRESTAGE_AGENT_STEP_INTERRUPTED", "PRESTAGE_AGENT_STEP_FAILED"];

export function defineStepType<T>(given: Given<T>): StepDefinition<T> {
  return { reference: [], mergedAtSite: false, variables: {}, sets: {}, platforms: ["linux"], environmentsOnWindows: given.environments, environmentsOnLinux: given.environments, ...given, errors: [...common, ...(given.errors ?? [])] };
}
