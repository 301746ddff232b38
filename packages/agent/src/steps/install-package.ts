import { installPackageStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { finishInterruptedInstallation } from "./debian-packages.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";

/** Runs one program of a package, in the installed system, with the package's folder as working directory. */
export const step = defineStep(installPackageStep, async (run, { package: id, program: name, timeoutSeconds }) => {
  const { content, signal } = run.context;
  const copy = await content.checkOut(id);
  const { content: found, folder } = copy;
  try {
    const programs = found.definition.kind === "package" ? found.definition.programs : [];
    const program = programs.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (program === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a program ${JSON.stringify(name)} in the package ${found.name}; found ${programs.map((one) => one.name).join(", ") || "none"}.`, "Correct the step's program.");
    await finishInterruptedInstallation(run);
    const result = await runShell(program.command, { cwd: folder, signal, timeoutSeconds, secrets: run.secrets, onLine: run.output });
    const { restartAsked: _, ...outcome } = shellStepResult(result, `program ${program.name} of ${found.name}`, program.successCodes);
    return outcome;
  } finally {
    await copy.release();
  }
});
