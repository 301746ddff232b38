import type { ApplicationDefinition, PolicyContent } from "@prestage/contract";
import { installApplicationStep, variableValue } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { finishInterruptedInstallation } from "./debian-packages.ts";
import { missingFromApplication } from "./detect-application.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

/** Applications that asked for a restart, so that after it they are only looked for: one that asks every time must not restart for ever. */
const restartedVariable = "PrestageRestartedForApplications";

/** Installs applications in the installed system, what they depend on first; one that is there already is left alone. */
export const step = defineStep(installApplicationStep, async (run, { application, applications = [], timeoutSeconds }) => {
  const order = installOrder(application === undefined ? applications : [application], run.context.policy.content);
  let last: StepResult = {};
  for (const { content, definition } of order) {
    const result = await installOne(run, content, definition, timeoutSeconds);
    if (result !== undefined) last = result;
    if (last.failure !== undefined || last.restart !== undefined) return last;
  }
  return last;
});

interface Planned { content: PolicyContent; definition: ApplicationDefinition }

/**
 * The applications and all they depend on, dependencies before what needs them, each once.
 * @throws AgentError PRESTAGE_AGENT_CONTENT_UNKNOWN, PRESTAGE_AGENT_STEP_INVALID
 */
export function installOrder(ids: readonly string[], contents: readonly PolicyContent[]): Planned[] {
  const order: Planned[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (id: string, chain: readonly string[]): void => {
    if (state.get(id) === "done") return;
    if (state.get(id) === "open") throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected dependencies without a circle; found ${[...chain, id].join(" needs ")}.`, "Correct the applications' dependencies.");
    state.set(id, "open");
    const content = contents.find((one) => one.objectId === id);
    if (content?.definition.kind !== "application") throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected the policy to name application ${id}; it does not.`, "Ask the administrator to check the task sequence.");
    for (const dependency of content.definition.dependencies) visit(dependency, [...chain, id]);
    state.set(id, "done");
    order.push({ content, definition: content.definition });
  };
  for (const id of ids) visit(id, []);
  return order;
}

/** Undefined: it was there. */
async function installOne(run: StepRun, { objectId, name }: PolicyContent, definition: ApplicationDefinition, timeoutSeconds: number | undefined): Promise<StepResult | undefined> {
  const { content, signal } = run.context;
  const restarted = (variableValue(run.variables(), restartedVariable) ?? "").split(",");
  const before = await missingFromApplication(definition.detection, signal);
  if (before === undefined) {
    run.output(`${name} is installed already`);
    return undefined;
  }
  if (restarted.includes(objectId)) return { failure: notDetected(name, `after the restart it asked for, ${before}`) };
  run.output(`installing ${name}: ${before}`);
  await finishInterruptedInstallation(run);
  const copy = await content.checkOut(objectId);
  try {
    const result = await runShell(definition.installCommand, { cwd: copy.folder, signal, timeoutSeconds, secrets: run.secrets, onLine: run.output });
    const { restartAsked, ...outcome } = shellStepResult(result, `the installation of ${name}`, definition.successCodes, definition.restartCodes);
    if (outcome.failure !== undefined) return outcome;
    if (restartAsked) {
      run.setVariable(restartedVariable, [...restarted.filter((id) => id !== ""), objectId].join(","));
      run.setVariable("SMSTSRetryRequested", "true");
      return { ...outcome, restart: "installed" };
    }
    const after = await missingFromApplication(definition.detection, signal);
    return after === undefined ? outcome : { ...outcome, failure: notDetected(name, after) };
  } finally {
    await copy.release();
  }
}

function notDetected(name: string, why: string) {
  return { code: "PRESTAGE_AGENT_STEP_FAILED", message: `Expected ${name} to be found after its installation; ${why}.`, next: "Correct the application's installation command or its detection rules." };
}
