import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../error.ts";
import { openVariablesFile } from "../run/variables-file.ts";
import type { VariablesFile } from "../run/variables-file.ts";
import type { AccountPlace } from "./account-place.ts";
import { whileBusy } from "./installer-codes.ts";
import { keptOutput } from "./kept-output.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

export interface StepCommandOptions {
  cwd: string;
  /** It installs something: one that finds another installation in its way is run again. */
  installer?: boolean;
  /** As a failure calls it. */
  what: string;
  successCodes: readonly number[];
  restartCodes?: readonly number[];
  timeoutSeconds?: number | undefined;
  /** What it prints goes into this variable when it has succeeded. */
  outputVariable?: string | undefined;
  /** Whom it runs as; the agent itself where left out. */
  as?: AccountPlace | undefined;
}

/**
 * Runs a step's command line, which may read and set variables by `prestage-variable`; what it set counts also where it fails.
 * @throws SequenceError PRESTAGE_SEQUENCE_VARIABLE_REFUSED, AgentError PRESTAGE_AGENT_STEP_INVALID: it set what is no variable
 */
export async function runStepCommand(run: StepRun, command: string, options: StepCommandOptions): Promise<StepResult & { restartAsked: boolean }> {
  const { dataRoot, signal } = run.context;
  const { cwd, timeoutSeconds, as } = options;
  const work = as?.folder ?? join(dataRoot, "prestage/work");
  await mkdir(work, { recursive: true, mode: 0o700 });
  const output = keptOutput(run);
  const variables = await openVariablesFile(await mkdtemp(join(work, "variables-")), [...run.variables().values()], as?.account);
  try {
    await as?.open();
    const common = { signal, timeoutSeconds, secrets: run.secrets, onLine: output.onLine, programs: variables.programs };
    const attempt = () => runShell(command, { ...common, ...(as === undefined ? { cwd, environment: variables.environment } : { cwd: "/", program: as.program(command, cwd), environment: { ...variables.environment, ...as.environment } }) });
    const result = options.installer === true ? await whileBusy(run, options.what, attempt) : await attempt();
    const outcome = shellStepResult(result, options.what, options.successCodes, options.restartCodes);
    await setCommandVariables(run, variables, options.what);
    if (outcome.failure === undefined) output.into(options.outputVariable);
    return outcome;
  } finally {
    await variables.remove();
  }
}

/** Sets what a command has written into its file of variables. */
export async function setCommandVariables(run: StepRun, variables: VariablesFile, what: string): Promise<void> {
  const changed = await variables.changed((line) => {
    throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected ${what} to set variables whose names begin with a letter, to at most 4,000 characters on one line; found ${JSON.stringify(run.secrets.redact(line).slice(0, 80))}.`, "Correct what the step runs.");
  });
  for (const { name, value } of changed) run.setVariable(name, value);
}
