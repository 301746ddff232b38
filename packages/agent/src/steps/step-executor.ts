import type { RunEnvironment, Step, Variables } from "@prestage/sequence";
import type { z } from "zod";
import { AgentError } from "../error.ts";
import type { Redact } from "../run/redact.ts";
import type { RunContext } from "../run/run-context.ts";
import type { StepsModel } from "../screens/view.ts";

/** What a running step may use besides the context. */
export interface StepRun {
  readonly context: RunContext;
  readonly step: Step;
  readonly variables: () => Variables;
  /** Sets a variable durably, for this and all later steps. */
  readonly setVariable: (name: string, value: string) => void;
  readonly progress: (progress: NonNullable<StepsModel["progress"]>) => void;
  /** A line for the log; secrets are taken out of it. */
  readonly output: (line: string) => void;
  /** The environment a process of this step gets for the secrets the step names, and what takes them out of its output. */
  readonly secrets: { readonly environment: Readonly<Record<string, string>>; readonly redact: Redact };
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
  /** Checks the settings (variables already put in) and runs. Safe to run again after it was interrupted. */
  start(run: StepRun, settings: unknown): Promise<StepResult>;
}

/** Makes an executor from its settings' schema and what it does with them. */
export function defineStep<T>(definition: { type: string; environments: StepExecutor["environments"]; settings: z.ZodType<T>; run: (run: StepRun, settings: T) => Promise<StepResult> }): StepExecutor {
  const { type, environments, settings: schema, run } = definition;
  return {
    type,
    environments,
    start: async (stepRun, settings) => {
      const parsed = schema.safeParse(settings);
      if (!parsed.success) throw invalidSettings(type, parsed.error);
      return run(stepRun, parsed.data);
    },
  };
}

function invalidSettings(type: string, cause: z.ZodError): AgentError {
  const found = cause.issues.slice(0, 5).map((issue) => `${issue.path.join(".") || "with"}: ${issue.message}`).join("; ");
  return new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected valid settings of a ${type} step; found ${found}.`, "Correct the step in the task sequence and deploy it again.", { cause });
}
