import type { z } from "zod";
import type { RunEnvironment } from "../events.ts";

export type Platform = "linux" | "windows";

/** What a step type is: the one place that lint, simulation, the schema for editors, the documentation and the agent take it from. */
export interface StepDefinition<T = unknown> {
  type: string;
  /** As the field calls it. */
  title: string;
  /** What it does, in a sentence or two. */
  summary: string;
  /** Where it may run; elsewhere it fails. */
  environments: readonly RunEnvironment[];
  /** Where it means something. */
  platforms: readonly Platform[];
  /** Its settings, once variables are put in. */
  settings: z.ZodType<T>;
  /** Settings that are taken from a variable where the step leaves them out. */
  variables: Readonly<Record<string, string>>;
  /** Variables it sets, and what they say. */
  sets: Readonly<Record<string, string>>;
  /** Why it may be run again after it was interrupted. */
  again: string;
  /** What can go wrong, by code. */
  errors: readonly string[];
  /** No computer meets it: the site puts something else in its place. */
  mergedAtSite: boolean;
  /** One step, as YAML. */
  example: string;
}

type Optional = "mergedAtSite" | "variables" | "sets" | "platforms" | "errors";
type Given<T> = { settings: z.ZodType<T> } & Omit<StepDefinition, Optional | "settings"> & Partial<Pick<StepDefinition, Optional>>;

/** Every step may fail by these: its settings, its place, its time, its own failure. */
const common = ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_ENVIRONMENT", "PRESTAGE_AGENT_STEP_TIME_LIMIT", "PRESTAGE_AGENT_STEP_INTERRUPTED", "PRESTAGE_AGENT_STEP_FAILED"];

export function defineStepType<T>(given: Given<T>): StepDefinition<T> {
  return { mergedAtSite: false, variables: {}, sets: {}, platforms: ["linux"], ...given, errors: [...common, ...(given.errors ?? [])] };
}
