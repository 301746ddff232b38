import { installPackageStep, listedReference, listedValues, variableValue } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { finishInterruptedInstallation } from "./debian-packages.ts";
import { installedToo, restartBegun } from "./installer-codes.ts";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

/** How many programs of a list had ended, and in which step: an interruption goes on after them. */
const doneVariable = "PrestageProgramsDone";

interface Wanted { id: string; program: string }
interface Common { restartCodes: readonly number[]; timeoutSeconds?: number | undefined }

/** Runs programs of packages, in the installed system, each with its package's folder as working directory. */
export const step = defineStep(installPackageStep, async (run, { package: id, program, baseVariable, continueOnInstallError, ...common }) => {
  if (id !== undefined && program !== undefined) {
    const { restartAsked, ...outcome } = await runOne(run, { id, program }, common);
    return { ...outcome, ...(restartAsked && { restart: "installed" as const }) };
  }
  const wanted = listed(run, baseVariable ?? "");
  run.output(wanted.length === 0 ? `${baseVariable ?? ""}001 is not set: there is nothing to run` : `to run: ${wanted.map((one) => `${one.id}:${one.program}`).join(", ")}`);
  const done = programsDone(run);
  // All of them, and no interruption: somebody has the step run once more (the debugger), and means all of it.
  const from = done < wanted.length || run.again === true ? done : 0;
  if (from < done) run.setVariable(doneVariable, `${run.step.id} 0`);
  let last: StepResult = {};
  for (const [i, one] of wanted.entries()) {
    if (i < from) continue;
    const { restartAsked, ...outcome } = await runOne(run, one, common);
    last = outcome;
    if (outcome.failure !== undefined && !continueOnInstallError) return outcome;
    if (outcome.failure !== undefined) run.output(`${one.id}:${one.program} failed, and the list goes on: ${outcome.failure.message}`);
    run.setVariable(doneVariable, `${run.step.id} ${i + 1}`);
    if (restartAsked) {
      if (i + 1 < wanted.length) run.setVariable("SMSTSRetryRequested", "true");
      return { ...outcome, restart: "installed" };
    }
  }
  // What is done stays said: an interruption may come before this step's end is journalled.
  const { failure: _, ...rest } = last;
  return rest;
});

/** Of this step's list. */
function programsDone(run: StepRun): number {
  const [stepId, count] = (variableValue(run.variables(), doneVariable) ?? "").split(" ");
  return stepId === run.step.id ? Number(count) : 0;
}

function listed(run: StepRun, base: string): Wanted[] {
  return listedValues(base, 3, (name) => variableValue(run.variables(), name)).map((value) => {
    const [, id, program] = listedReference.exec(value.trim()) ?? [];
    if (id === undefined || program === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected ID:PROGRAM, such as ABC00005:Apply, in the variables of the list ${base}; found ${JSON.stringify(value.slice(0, 80))}.`, "Correct the variable.");
    return { id, program };
  });
}

async function runOne(run: StepRun, { id, program: name }: Wanted, { restartCodes, timeoutSeconds }: Common): Promise<StepResult & { restartAsked: boolean }> {
  const copy = await run.context.content.checkOut(id);
  const { content: found, folder } = copy;
  try {
    const programs = found.definition.kind === "package" ? found.definition.programs : [];
    const program = programs.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (program === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a program ${JSON.stringify(name)} in the package ${found.name}; found ${programs.map((one) => one.name).join(", ") || "none"}.`, "Correct the step's program.");
    await finishInterruptedInstallation(run);
    // A code that the program itself calls a success is one, and no restart.
    return await runStepCommand(run, program.command, { cwd: folder, installer: true, what: `program ${program.name} of ${found.name}`, successCodes: [...program.successCodes, installedToo], restartCodes: [...restartCodes, restartBegun].filter((code) => !program.successCodes.includes(code)), timeoutSeconds });
  } finally {
    await copy.release();
  }
}
