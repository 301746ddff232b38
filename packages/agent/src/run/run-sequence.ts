import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deploysOperatingSystem, evaluateCondition, explainStep, explanationText, initialState, mayRetry, nextAction, reduce, replay, variableValue } from "@prestage/sequence";
import type { Action, Facts, RunEnvironment, RunEvent, RunState, Step, StepOutcome, Variable } from "@prestage/sequence";
import { setTimeout as sleep } from "node:timers/promises";
import { dataPaths } from "@prestage/media";
import { localStore } from "../steps/user-state/state-store.ts";
import { hardwareFact } from "../facts/hardware.ts";
import { windowsSecureBoot } from "../windows/windows-facts.ts";
import { gatherFacts } from "../facts/gather-facts.ts";
import { en, textIn } from "../screens/texts/en.ts";
import type { StepsModel } from "../screens/view.ts";
import { runCommand } from "../run-command.ts";
import { stepExecutors } from "../steps/index.ts";
import type { StepExecutor } from "../steps/step-executor.ts";
import { codesText } from "../reference-codes.ts";
import { cleanUp } from "./clean-up.ts";
import { flushVolume, windowsBootId } from "../windows/installed-windows.ts";
import { Debugger } from "./debugger/debugger.ts";
import { endSequence, startsInstalled } from "./end-sequence.ts";
import type { RunMachine, RunResult } from "./end-sequence.ts";
import { earlierFailure, failedJust, lastStep, ownNotice } from "./last-step.ts";
import { startPostAction } from "./post-action.ts";
import { repeatSteps } from "./repeat-steps.ts";
import { reportDeviceUsers } from "./report-device-users.ts";
import type { RunFailure } from "./last-step.ts";
import { restartMachine } from "./restart-machine.ts";
import type { RunContext } from "./run-context.ts";
import { RunReports } from "./run-reports.ts";
import { logsCommand, restartNotice, runSettings, targetSystemDrive } from "./run-settings.ts";
import type { RunSettings } from "./run-settings.ts";
import { runStep } from "./run-step.ts";
import { stepsModel } from "./steps-model.ts";

export interface RunOptions {
  executors?: ReadonlyMap<string, StepExecutor>;
  /** Tells one start of the machine from the next. */
  bootId?: string;
  machine?: RunMachine;
}

/**
 * Runs a sequence from where its journal ends, to its end or to a restart. Each transition is reported, then journalled, then acted on:
 * a power cut loses no report and repeats none, and repeats at most the step it fell into.
 */
export async function runSequence(context: RunContext, options: RunOptions = {}): Promise<RunResult> {
  const bootId = options.bootId ?? (process.platform === "win32" ? windowsBootId() : (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim());
  return new SequenceRun(context, { executors: options.executors ?? stepExecutors, machine: options.machine ?? { restart: restartMachine, cleanUp, postAction: startPostAction, startsInstalled }, bootId }, process.platform === "win32" ? await windowsSecureBoot() : ((await hardwareFact("secureBoot")) ?? "NA")).run();
}

class SequenceRun {
  readonly #context: RunContext;
  readonly #options: Required<RunOptions>;
  /** The variables before the first step. */
  readonly #given: readonly Variable[];
  #state: RunState;
  /** Asked for before a step's conditions are evaluated, and forgotten when something has run since. */
  #facts: Facts = new Map();
  readonly #details = new Map<string, string>();
  #progress: StepsModel["progress"];
  #settings: RunSettings | undefined;
  readonly #debugger: Debugger;
  readonly #reports: RunReports;
  #heldAtFailure = -1;
  #reportedProgress = "";
  #failure: RunFailure | undefined;

  constructor(context: RunContext, options: Required<RunOptions>, secureBoot: string) {
    this.#context = context;
    this.#options = options;
    this.#given = systemVariables(context, secureBoot);
    this.#state = replay(initialState(context.sequence, this.#given), context.journal.events);
    const { sequence, screen, log, signal, unattended = false } = context;
    this.#reports = new RunReports(context);
    this.#debugger = new Debugger({ sequence, screen, reports: this.#reports, log, signal, unattended, state: () => this.#state, append: (event) => this.#append(event) });
  }

  async run(): Promise<RunResult> {
    if (this.#state.status === "running" && this.#state.bootId !== this.#options.bootId) {
      // Before the event: stopped in it, the next attempt does it again.
      await repeatSteps(this.#context, this.#options.executors, this.#given);
      this.#reports.restarted(this.#environment, this.#state.restart?.to === this.#environment);
      this.#append({ kind: "restarted", environment: this.#environment, bootId: this.#options.bootId });
      await this.#afterStart();
    }
    this.#applySettings();
    for (;;) {
      this.#context.signal.throwIfAborted();
      const action = nextAction(this.#state, this.#context.sequence, this.#facts);
      this.#show();
      const held = await this.#hold(action);
      if (held === "changed") continue;
      if (held === "cancelled") {
        this.#failWith("PRESTAGE_AGENT_CANCELLED", "Expected the task sequence to go on; a person ended it in the debugger.", "Deploy it again when it is to run.");
        continue;
      }
      const result = await this.#act(action);
      if (result !== undefined) return result;
    }
  }

  /** Where variables say so the run holds before a step, and once where one has failed. */
  async #hold(action: Action): Promise<"on" | "changed" | "cancelled"> {
    const failed = this.#state.status === "running" ? failedJust(this.#context.sequence, this.#context.journal.events) : undefined;
    if (failed !== undefined && failed.at !== this.#heldAtFailure) {
      this.#heldAtFailure = failed.at;
      const held = await this.#debugger.hold({ kind: "failed", step: failed.step, code: (this.#failure ?? earlierFailure(this.#context.sequence, this.#context.journal.events)).code });
      if (held !== "on") return this.#changed(held);
    }
    return action.kind === "start" ? this.#changed(await this.#debugger.hold({ kind: "before", step: action.step })) : "on";
  }

  #changed<T extends string>(held: T): T {
    if (held !== "on") this.#facts = new Map();
    return held;
  }

  /** The whole sequence has failed, whatever its steps say of errors. */
  #failWith(code: string, message: string, next: string): void {
    const step = lastStep(this.#context.sequence, this.#context.journal.events)?.name ?? this.#context.sequence.name;
    this.#failure = { step, code, message, next };
    this.#context.log(`${step}: ${codesText(this.#failure)}: ${message}`);
    this.#reports.sequenceFinished("failed", this.#failure);
    this.#append({ kind: "sequence-finished", outcome: "failed" });
  }

  /** Does what comes next; a result ends the run. */
  async #act(action: Action): Promise<RunResult | undefined> {
    const reports = this.#reports;
    switch (action.kind) {
      case "begin":
        reports.sequenceStarted();
        this.#append({ kind: "sequence-started", environment: this.#environment, bootId: this.#options.bootId });
        return undefined;
      case "skip":
        reports.skipped(action);
        this.#details.set(action.step.id, action.reason === "disabled" ? "disabled" : action.why);
        this.#append({ kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
        return undefined;
      case "enter-group":
        reports.groupStarted(action);
        this.#append({ kind: "step-started", stepId: action.step.id, name: action.step.name, group: true });
        return undefined;
      case "leave-group":
        reports.groupFinished(action);
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, group: true, outcome: action.outcome });
        return undefined;
      case "gather": {
        const { dataRoot, signal, log } = this.#context;
        this.#facts = new Map([...this.#facts, ...(await gatherFacts(action.queries, { root: dataRoot, signal, log }))]);
        return undefined;
      }
      case "start":
        if (action.attempt > 1 && !action.again) await this.#waitForRetry(action.step, action.attempt);
        await this.#runStep(action.step, action.path, action.again, action.attempt);
        this.#facts = new Map();
        return undefined;
      case "done-already":
        reports.doneAlready(action);
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: "succeeded" });
        this.#facts = new Map();
        return undefined;
      case "give-up":
        this.#giveUp(action.step, action.path, action.why);
        return undefined;
      case "restart":
        if (action.to === "installed" && this.#environment === "environment" && (await this.#options.machine.startsInstalled?.(this.#context)) === false) {
          this.#failWith("PRESTAGE_AGENT_NO_SYSTEM", "Expected a system on this disk to restart into; found none that could start.", "Apply an OS image and set it up before the restart.");
          return undefined;
        }
        reports.restarts(action.to);
        await this.#options.machine.restart(this.#context, action.to, ...(await this.#announceRestart()));
        return { result: "restart", to: action.to };
      case "finish":
        if (action.outcome === "succeeded") reportDeviceUsers(this.#context, this.#state.variables);
        reports.sequenceFinished(action.outcome, this.#failure);
        this.#append({ kind: "sequence-finished", outcome: action.outcome });
        return undefined;
      case "ended":
        return endSequence(this.#context, this.#options.machine, { outcome: action.outcome, variables: this.#state.variables, failure: this.#failure });
    }
  }

  async #waitForRetry(step: Step, attempt: number): Promise<void> {
    const seconds = step.retry?.delaySeconds ?? 0;
    this.#context.log(`step ${step.name} is tried again in ${seconds} s (attempt ${attempt} of ${(step.retry?.times ?? 0) + 1})`);
    await sleep(seconds * 1000, undefined, { signal: this.#context.signal });
  }

  /** It never ends: what interrupts it would interrupt it for ever. */
  #giveUp(step: Step, path: string[], why: string): void {
    const failure = { code: "PRESTAGE_AGENT_STEP_INTERRUPTED", message: `Expected the step ${step.name} to end; ${why}.`, next: "A program that restarts the computer by itself must not: have it end with a restart code. Or see why the power goes." };
    this.#reports.gaveUp(step, path, failure);
    this.#details.set(step.id, failure.code);
    this.#failure = { step: step.name, ...failure };
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, outcome: "failed", code: failure.code });
  }

  async #runStep(step: Step, path: string[], again: boolean, attempt: number): Promise<void> {
    const how = again ? "again after an interruption" : attempt > 1 ? `attempt ${attempt} of ${(step.retry?.times ?? 0) + 1}` : undefined;
    this.#reports.stepStarting(step, how);
    this.#explain(step);
    this.#reports.stepStarted(step, path, how, { again, attempt });
    this.#append({ kind: "step-started", stepId: step.id, name: step.name });
    this.#details.delete(step.id);
    this.#show();
    const started = performance.now();
    const result = await runStep({
      context: this.#context, step, again, executors: this.#options.executors, variables: () => this.#state.variables,
      setVariable: (name, value) => this.#append({ kind: "variable-set", name, value }),
      progress: (progress) => this.#showProgress(step, progress),
    });
    // On the disk before it is reported and journalled: a cut after this line must not find the step's work missing.
    if (process.platform === "win32") flushVolume(this.#context.dataRoot);
    else await runCommand("sync", ["-f", this.#context.dataRoot]);
    const seconds = (performance.now() - started) / 1000;
    this.#progress = undefined;
    const outcome: StepOutcome = result.failure === undefined ? "succeeded" : "failed";
    this.#reports.stepFinished(step, path, seconds, result);
    this.#details.set(step.id, result.failure === undefined ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s` : result.failure.code);
    if (result.failure !== undefined) this.#failure = { step: step.name, ...result.failure, ...(result.exitCode !== undefined && { exitCode: result.exitCode }) };
    const retry = outcome === "failed" && mayRetry(this.#state, step);
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, outcome, ...(retry && { retry: true }), ...(result.exitCode !== undefined && { exitCode: result.exitCode }), ...(result.failure && { code: result.failure.code }), ...(result.restart && { restart: result.restart }) });
  }

  /** Why it runs, and with what: as simulation says it. */
  #explain(step: Step): void {
    const { log } = this.#context;
    if (step.when !== undefined) log(`  ${evaluateCondition(step.when, this.#state.variables, this.#facts).why}`);
    const shown = logsCommand(step, runSettings(this.#state.variables));
    for (const variable of explainStep(step, this.#state.variables, this.#given)) log(`  %${variable.name}% ${shown ? explanationText(variable) : "is put in, and not logged (OSDDoNotLogCommand)"}`);
  }

  get #environment(): RunEnvironment {
    return this.#context.environment === "boot" ? "environment" : "installed";
  }

  #append(event: RunEvent): void {
    const next = reduce(this.#state, event); // refuses before anything is written
    this.#context.journal.append(event);
    this.#state = next;
    if (event.kind === "variable-set") this.#applySettings();
  }

  /** What variables say about the run itself, where they say something else than before: a person may have chosen a language meanwhile. */
  #applySettings(): void {
    const { screen, status, onSettings } = this.#context;
    const before = this.#settings;
    const settings = runSettings(this.#state.variables);
    this.#settings = settings;
    if (settings.language !== undefined && settings.language !== before?.language) screen.setLanguage(settings.language);
    if (settings.retryStatus !== (before?.retryStatus ?? true)) status.setRetries(settings.retryStatus);
    onSettings?.(settings);
  }

  /** After a start of the computer in the middle of the run. */
  async #afterStart(): Promise<void> {
    const { dataRoot, log, signal, journal } = this.#context;
    const drive = targetSystemDrive(this.#environment, dataRoot);
    const known = variableValue(this.#state.variables, "OSDTargetSystemDrive");
    if (known !== undefined && known !== drive) this.#append({ kind: "variable-set", name: "OSDTargetSystemDrive", value: drive });
    const { secondRestartSeconds } = runSettings(this.#state.variables);
    const last = lastStep(this.#context.sequence, journal.events);
    if (secondRestartSeconds === 0 || last?.type !== "install-updates" || this.#state.restart !== undefined) return;
    log(`updates may restart this computer once more: waiting ${secondRestartSeconds} s (SMSTSWaitForSecondReboot)`);
    await sleep(secondRestartSeconds * 1000, undefined, { signal });
  }

  /** A power cut or a stop of the agent in it does no harm: the restart is journalled, and happens next. On Windows it is left to the restart itself. */
  async #announceRestart(): Promise<[] | [{ text: string; seconds: number }]> {
    const { sequence, journal, screen, signal } = this.#context;
    const notice = restartNotice(this.#state.variables, this.#state.restarts, ownNotice(lastStep(sequence, journal.events), this.#state.variables));
    if (notice === undefined) return [];
    if (process.platform === "win32") return [{ text: notice.message ?? en.restartNoticeWhat, seconds: notice.seconds }];
    const ended = await screen.countdown({ screen: "restart-notice", title: (texts) => texts.restartNotice, lines: (left) => [notice.message ?? ((texts) => texts.restartNoticeWhat), "", (texts) => texts.restartNoticeLeft(left)], seconds: notice.seconds }, signal);
    screen.event("restart-notice-over", { by: ended });
    return [];
  }

  #show(): void {
    this.#context.screen.steps(stepsModel(this.#context.sequence, this.#state, this.#details, this.#progress, this.#settings));
  }

  /** On the screen always; as an event line at each tenth. */
  #showProgress(step: Step, progress: NonNullable<StepsModel["progress"]>): void {
    this.#progress = progress;
    this.#show();
    const tenth = `${step.id} ${textIn(en, progress.label)} ${progress.total <= 0 ? 0 : Math.floor((progress.done / progress.total) * 10)}`;
    if (tenth === this.#reportedProgress) return;
    this.#reportedProgress = tenth;
    this.#context.screen.event("progress", { id: step.id, ...progress });
  }

}

/** What the agent itself says; nobody can change it. */
function systemVariables({ policy, sequence, variables, dataRoot }: RunContext, secureBoot: string) {
  const own = { _SMSTSMediaType: "OEMMedia", _SMSTSAdvertID: policy.deploymentId, _SMSTSPackageID: policy.taskSequence.id, _SMSTSPackageName: policy.taskSequence.name, _SMSTSType: deploysOperatingSystem(sequence) ? "2" : "1", _SMSTSBootUEFI: "true", _TSSecureBoot: secureBoot, _SMSTSClientCache: join(dataRoot, dataPaths.content), _SMSTSUserStatePath: join(dataRoot, localStore), _SMSTSProtectedPaths: join(dataRoot, "prestage"), _SMSTSTimezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  return [...variables, ...Object.entries(own).map(([name, value]) => ({ name, value, source: "system" as const }))];
}
