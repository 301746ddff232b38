import { setTimeout as sleep } from "node:timers/promises";
import type { ApplicationDefinition, PolicyContent } from "@prestage/contract";
import { evaluateCondition, factsNeeded, installApplicationStep, listedReference, listedValues, variableValue } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { gatherFacts } from "../facts/gather-facts.ts";
import { finishInterruptedInstallation } from "./debian-packages.ts";
import { missingFromApplication } from "./detect-application.ts";
import { installedToo, restartBegun, restartRequired } from "./installer-codes.ts";
import { installOrder } from "./install-order.ts";
import type { PlannedApplication } from "./install-order.ts";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

/** Applications that asked for a restart, so that after it they are only looked for: one that asks every time must not restart for ever. */
const restartedVariable = "PrestageRestartedForApplications";

/** What became of one application. */
type Outcome = { kind: "installed" | "there" | "not-for-this-computer"; result: StepResult } | { kind: "failed" | "restart"; result: StepResult };

/** Installs applications in the installed system, what they depend on first; one that is there already is left alone. */
export const step = defineStep(installApplicationStep, async (run, { application, applications, baseVariable, continueOnInstallError, retries, retryMilliseconds, errorOnWarning, timeoutSeconds }) => {
  const ids = baseVariable === undefined ? (applications ?? [application ?? ""]) : listed(run, baseVariable);
  const order = installOrder(ids, run.context.policy.content);
  const unmet = new Set<string>();
  let last: StepResult = {};
  let failed = false;
  for (const planned of order) {
    const { objectId, name } = planned.content;
    const needed = planned.definition.dependencies.find((id) => unmet.has(id));
    const outcome: Outcome = needed === undefined ? await installWithRetries(run, planned, { retries, retryMilliseconds, timeoutSeconds }) : { kind: "not-for-this-computer", result: {} };
    if (needed !== undefined) run.output(`${name} is left out: it needs ${needed}, which was not installed`);
    if (outcome.kind === "restart") return outcome.result;
    if (outcome.kind !== "there") last = outcome.result;
    if (outcome.kind === "failed" || outcome.kind === "not-for-this-computer") unmet.add(objectId);
    if (outcome.kind !== "failed") continue;
    failed = true;
    run.say("_TSAppInstallStatus", "Error");
    if (!continueOnInstallError) return outcome.result;
    run.output(`${name} failed, and the list goes on: ${outcome.result.failure?.message ?? ""}`);
  }
  run.say("_TSAppInstallStatus", failed ? "Error" : unmet.size > 0 ? "Warning" : order.length === 0 ? "Undefined" : "Success");
  if (!failed && unmet.size > 0 && errorOnWarning) return { failure: { code: "PRESTAGE_AGENT_STEP_FAILED", message: `Expected the requirements of every application to be met; ${[...unmet].join(", ")} ${unmet.size === 1 ? "is" : "are"} not for this computer.`, next: "Give the step a condition, correct the applications' requirements, or leave errorOnWarning (TSErrorOnWarning) off." } };
  const { failure: _, ...rest } = last;
  return rest;
});

function listed(run: StepRun, base: string): string[] {
  const values = listedValues(base, 2, (name) => variableValue(run.variables(), name));
  run.output(values.length === 0 ? `${base}01 is not set: there is nothing to install` : `to install: ${values.join(", ")}`);
  return values.map((value) => {
    const id = listedReference.exec(value.trim())?.[1];
    if (id === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected an application's id, such as ABC00004, in the variables of the list ${base}; found ${JSON.stringify(value.slice(0, 80))}.`, "Correct the variable.");
    return id;
  });
}

interface Tries { retries: number; retryMilliseconds: number; timeoutSeconds: number | undefined }

async function installWithRetries(run: StepRun, planned: PlannedApplication, { retries, retryMilliseconds, timeoutSeconds }: Tries): Promise<Outcome> {
  for (let tried = 0; ; tried++) {
    const outcome = await installOne(run, planned, timeoutSeconds);
    if (outcome.kind !== "failed" || tried >= retries) return outcome;
    run.output(`${planned.content.name} failed and is tried again in ${retryMilliseconds} ms (${tried + 1} of ${retries}): ${outcome.result.failure?.message ?? ""}`);
    await sleep(retryMilliseconds, undefined, { signal: run.context.signal });
  }
}

async function installOne(run: StepRun, { content: { objectId, name }, definition }: PlannedApplication, timeoutSeconds: number | undefined): Promise<Outcome> {
  const { content, signal } = run.context;
  const restarted = (variableValue(run.variables(), restartedVariable) ?? "").split(",");
  const before = await missingFromApplication(definition.detection, signal);
  if (before === undefined) {
    run.output(`${name} is installed already`);
    // What it was restarted for is there; should it be removed, a later step may install it again.
    if (restarted.includes(objectId)) run.setVariable(restartedVariable, restarted.filter((id) => id !== "" && id !== objectId).join(","));
    return { kind: "there", result: {} };
  }
  if (restarted.includes(objectId)) return { kind: "failed", result: { failure: notDetected(name, `after the restart it asked for, ${before}`) } };
  const unmet = await unmetRequirement(run, definition);
  if (unmet !== undefined) {
    run.output(`${name} is not for this computer: ${unmet}`);
    return { kind: "not-for-this-computer", result: {} };
  }
  run.output(`installing ${name}: ${before}`);
  await finishInterruptedInstallation(run);
  for (const id of definition.supersedes ?? []) {
    const result = await removeSuperseded(run, id, timeoutSeconds);
    if (result?.failure !== undefined) return { kind: "failed", result };
  }
  const copy = await content.checkOut(objectId);
  try {
    const { restartAsked, ...outcome } = await runStepCommand(run, definition.installCommand, { cwd: copy.folder, installer: true, what: `the installation of ${name}`, successCodes: [...definition.successCodes, installedToo], restartCodes: [...definition.restartCodes, ...[restartRequired, restartBegun].filter((code) => !definition.successCodes.includes(code))], timeoutSeconds });
    if (outcome.failure !== undefined) return { kind: "failed", result: outcome };
    if (restartAsked) {
      run.setVariable(restartedVariable, [...restarted.filter((id) => id !== ""), objectId].join(","));
      run.setVariable("SMSTSRetryRequested", "true");
      return { kind: "restart", result: { ...outcome, restart: "installed" } };
    }
    const after = await missingFromApplication(definition.detection, signal);
    return after === undefined ? { kind: "installed", result: outcome } : { kind: "failed", result: { ...outcome, failure: notDetected(name, after) } };
  } finally {
    await copy.release();
  }
}

/** Why this computer is not one the application is for. */
async function unmetRequirement(run: StepRun, { requirement }: ApplicationDefinition): Promise<string | undefined> {
  if (requirement === undefined) return undefined;
  const { dataRoot, signal, log } = run.context;
  const facts = await gatherFacts(factsNeeded(requirement, run.variables()), { root: dataRoot, signal, log });
  const { holds, why } = evaluateCondition(requirement, run.variables(), facts);
  return holds ? undefined : why;
}

/** Removes an older application where it is; one that says how it is removed only then. */
async function removeSuperseded(run: StepRun, id: string, timeoutSeconds: number | undefined): Promise<StepResult | undefined> {
  const { content, signal, policy } = run.context;
  const found: PolicyContent | undefined = policy.content.find((one) => one.objectId === id);
  if (found?.definition.kind !== "application") throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected the policy to name the superseded application ${id}; it does not.`, "Ask the administrator to check the application.");
  const { definition, name } = found;
  if ((await missingFromApplication(definition.detection, signal)) !== undefined || definition.uninstallCommand === undefined) return undefined;
  run.output(`removing ${name}, which is superseded`);
  const copy = await content.checkOut(id);
  try {
    const { restartAsked: _, ...outcome } = await runStepCommand(run, definition.uninstallCommand, { cwd: copy.folder, installer: true, what: `the removal of ${name}`, successCodes: [...definition.successCodes, ...definition.restartCodes, installedToo, restartRequired, restartBegun], timeoutSeconds });
    return outcome;
  } finally {
    await copy.release();
  }
}

function notDetected(name: string, why: string) {
  return { code: "PRESTAGE_AGENT_STEP_FAILED", message: `Expected ${name} to be found after its installation; ${why}.`, next: "Correct the application's installation command or its detection rules." };
}
