import { variableValue } from "@prestage/sequence";
import type { RunEnvironment, SecretReference, Step, StepDefinition, Variables } from "@prestage/sequence";
import type { z } from "zod";
import { AgentError } from "../error.ts";
import type { Redact } from "../run/redact.ts";
import type { RunContext } from "../run/run-context.ts";
import type { StepsModel } from "../screens/view.ts";

/** What a running step may use besides the context. */
export interface StepRun {
  readonly context: RunContext;
  readonly step: Step;
  /** It was interrupted while it ran, and runs again. */
  readonly again?: boolean;
  readonly variables: () => Variables;
  /** Sets a variable durably, for this and all later steps. */
  readonly setVariable: (name: string, value: string) => void;
  /** Sets a read-only variable that the step's declaration names. */
  readonly say: (name: string, value: string) => void;
  readonly progress: (progress: NonNullable<StepsModel["progress"]>) => void;
  /** A line for the log; secrets are taken out of it. */
  readonly output: (line: string) => void;
  /** The environment a process of this step gets for the secrets the step names, what takes them out of its output, and the value of one that a setting names. */
  readonly secrets: { readonly environment: Readonly<Record<string, string>>; readonly redact: Redact; readonly value: (reference: SecretReference) => string };
}

export interface StepResult {
  exitCode?: number;
  /** The last lines it printed, at most 4,000 characters. */
  outputTail?: string;
  /** Why it failed; absent: it succeeded. */
  failure?: { code: string; message: string; next: string };
  /** A restart to happen right after the step. */
  restart?: RunEnvironment;
}

export interface StepExecutor {
  type: string;
  /** Where it may run; elsewhere it fails. */
  environments: readonly RunContext["environment"][];
  /** What it does is gone after a start of the computer: it is done again at each, once it has succeeded. */
  everyStart?: boolean;
  /** Checks the settings (variables already put in) and runs. Safe to run again after it was interrupted. */
  start(run: StepRun, settings: unknown): Promise<StepResult>;
}

/** Makes an executor of what a step type is and what is done for it. */
export function defineStep<T>(definition: StepDefinition<T>, run: (run: StepRun, settings: T) => Promise<StepResult>, more: Pick<StepExecutor, "everyStart"> = {}): StepExecutor {
  const { type, environments, settings: schema, variables, sets } = definition;
  return {
    ...more,
    type,
    environments: environments.map((one) => (one === "environment" ? "boot" : "installed")),
    start: async (stepRun, settings) => {
      const parsed = schema.safeParse({ ...definition.fromVariables?.(stepRun.variables()), ...(withVariables(settings, variables, stepRun.variables()) as object) });
      if (!parsed.success) throw invalidSettings(type, parsed.error);
      const say = (name: string, value: string) => {
        if (!Object.hasOwn(sets, name)) throw new TypeError(`${type} does not declare that it sets ${name}`);
        stepRun.say(name, value);
      };
      return run({ ...stepRun, say }, parsed.data);
    },
  };
}

/** What a step leaves out is taken from its variable, where that is set (features.md F202). */
export function withVariables(settings: unknown, names: Readonly<Record<string, string>>, variables: Variables): unknown {
  if (typeof settings !== "object" || settings === null) return settings;
  const found = Object.entries(names).flatMap(([setting, name]) => {
    const value = Object.hasOwn(settings, setting) ? undefined : variableValue(variables, name);
    return value === undefined ? [] : [[setting, value] as const];
  });
  return { ...settings, ...Object.fromEntries(found) };
}

function invalidSettings(type: string, cause: z.ZodError): AgentError {
  const found = cause.issues.slice(0, 5).map((issue) => `${issue.path.join(".") || "with"}: ${issue.message}`).join("; ");
  return new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected valid settings of a ${type} step; found ${found}.`, "Correct the step in the task sequence and deploy it again.", { cause });
}
