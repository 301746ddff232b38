import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readBounded } from "@prestage/content";
import { contentReferences } from "@prestage/sequence";
import type { Step, StepDefinition, WindowsCommand, WindowsPlan } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { filesBelow } from "./files-below.ts";
import { openVariablesFile } from "../run/variables-file.ts";
import type { VariablesFile } from "../run/variables-file.ts";
import { hardwareFact } from "../facts/hardware.ts";
import { isForModel } from "../steps/install-drivers.ts";
import { whileBusy } from "../steps/installer-codes.ts";
import { keptOutput } from "../steps/kept-output.ts";
import { runShell, shellStepResult } from "../steps/run-shell.ts";
import { defineStep } from "../steps/step-executor.ts";
import { setCommandVariables } from "../steps/run-step-command.ts";
import type { StepExecutor, StepResult, StepRun } from "../steps/step-executor.ts";

/** Bytes of a text for a variable, at most 4,000 characters. */
const longestTold = 64 << 10;
/** How long what is run in the end may take. */
const alwaysSeconds = 120;

/** Steps whose commands may read and set variables by `prestage-variable`. */
const writesVariables = new Set(["run-command-line", "run-script", "install-application", "install-package"]);

/** Steps whose programs are installers, which may find another one in their way. */
const installers = new Set(["install-application", "install-package", "install-updates", "install-features"]);

/** Settings every step that runs programs has alike. */
interface CommonSettings { timeoutSeconds?: number; outputVariable?: string; workingFolder?: string }

/** Carries out on an installed Windows what a step type says it does there: its files, then its commands one after the other. */
export function windowsExecutor<T>(definition: StepDefinition<T>): StepExecutor {
  return defineStep(definition, async (run, settings) => {
    const { content, dataRoot } = run.context;
    const copies = new Map<string, { folder: string; files: readonly string[]; models: readonly string[]; release: () => Promise<void> }>();
    const work = join(dataRoot, "prestage/work");
    await mkdir(work, { recursive: true });
    const own = await mkdtemp(join(work, "step-"));
    let variables: VariablesFile | undefined;
    try {
      for (const { objectId } of contentReferences({ name: "", steps: [{ ...run.step, with: settings as NonNullable<Step["with"]> }] })) {
        const copy = await content.checkOut(objectId);
        copies.set(objectId, { ...copy, files: await filesBelow(copy.folder), models: copy.content.definition.kind === "driver-package" ? copy.content.definition.models : [] });
      }
      const model = [...copies.values()].some((copy) => copy.models.length > 0) ? ((await hardwareFact("model")) ?? "") : "";
      const plan = definition.windows?.(settings, { work: own, node: process.execPath, folderOf: (id) => copies.get(id)?.folder ?? own, filesIn: (id) => copies.get(id)?.files ?? [], systemRoot: process.env["SystemRoot"] ?? String.raw`C:\Windows`, fits: (id) => isForModel(model, copies.get(id)?.models ?? []) });
      if (plan === undefined || typeof plan === "string") throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected settings of ${definition.type} that mean something on Windows; ${plan ?? "it does nothing there"}.`, "Correct the step in the task sequence and deploy it again.");
      if (plan.ownSession === true && (run.step.secrets ?? []).length > 0) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a step without secrets, as its program runs as another account, which they do not reach; found ${run.step.secrets?.join(", ") ?? ""}.`, "Take them off the step, or have the agent itself run it.");
      for (const { name, content: text } of plan.files ?? []) {
        await mkdir(dirname(join(own, name)), { recursive: true });
        await writeFile(join(own, name), text, { mode: 0o600 });
      }
      const common = settings as CommonSettings;
      // As on Linux: for commands that a person wrote. A program in a session of its own may not look into the step's folder.
      if (writesVariables.has(definition.type) && plan.ownSession !== true) variables = await openVariablesFile(await mkdtemp(join(work, "variables-")), [...run.variables().values()]);
      let outcome: StepResult;
      try {
        outcome = await runCommands(run, plan, resolve([...copies.values()][0]?.folder ?? own, common.workingFolder ?? "."), common, variables);
      } finally {
        await runAlways(run, plan, own);
      }
      if (variables !== undefined) await setCommandVariables(run, variables, plan.commands?.at(-1)?.what ?? definition.type);
      if (outcome.failure === undefined) for (const { name, value } of plan.variables ?? []) run.setVariable(name, value);
      if (outcome.failure === undefined) for (const { name, file } of plan.tells ?? []) await setTold(run, name, join(own, file));
      if (outcome.restart !== undefined && plan.againAfterRestart === true) run.setVariable("SMSTSRetryRequested", "true");
      return outcome;
    } finally {
      await variables?.remove();
      await rm(own, { recursive: true, force: true });
      for (const copy of copies.values()) await copy.release();
    }
  });
}

/** One after the other; the first that fails ends the step, and one that asks for a restart has it happen after the last. */
async function runCommands(run: StepRun, plan: WindowsPlan, cwd: string, { timeoutSeconds, outputVariable }: CommonSettings, variables: VariablesFile | undefined): Promise<StepResult> {
  const output = keptOutput(run);
  let last: StepResult = {};
  let restart = false;
  for (const command of plan.commands ?? []) {
    const attempt = () => runShell(command.program, { cwd, signal: run.context.signal, timeoutSeconds, secrets: run.secrets, environment: { ...variables?.environment, ...secretsOf(run, command) }, ...(variables && { programs: variables.programs }), onLine: output.onLine, program: { file: command.program, arguments: command.arguments, verbatim: command.verbatim ?? false } });
    const result = installers.has(run.step.type) ? await whileBusy(run, command.what, attempt) : await attempt();
    const { restartAsked, ...outcome } = shellStepResult(result, command.what, command.successCodes ?? [], command.restartCodes ?? []);
    last = outcome;
    restart ||= restartAsked;
    if (outcome.failure !== undefined) return outcome;
  }
  output.into(outputVariable);
  return { ...last, ...(restart && { restart: run.context.environment === "boot" ? "environment" : "installed" }) };
}

/** A text of at most what a variable may hold; PowerShell puts a mark before it and an end of line behind. */
async function setTold(run: StepRun, name: string, path: string): Promise<void> {
  const text = await readBounded(path, longestTold).then((bytes) => bytes.toString("utf8").replace(/^\uFEFF/, "").trim(), (cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return "";
    throw cause;
  });
  if (text !== "") run.setVariable(name, text.slice(0, 4000));
}

/** What must not stay, whatever came before: a stop of the run does not stop it. */
async function runAlways(run: StepRun, plan: WindowsPlan, cwd: string): Promise<void> {
  for (const { what, program, arguments: given, verbatim = false } of plan.always ?? []) {
    const { exitCode, outputTail } = await runShell(program, { cwd, signal: new AbortController().signal, timeoutSeconds: alwaysSeconds, onLine: run.output, program: { file: program, arguments: given, verbatim } });
    if (exitCode !== 0) run.output(`${what}: ended with ${exitCode}: ${outputTail}`);
  }
}

function secretsOf(run: StepRun, command: WindowsCommand): Record<string, string> {
  return Object.fromEntries(Object.entries(command.secrets ?? {}).map(([name, reference]) => [name, run.secrets.value(reference)]));
}
