import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { deploysOperatingSystem, evaluateCondition, explainStep, explanationText, initialState, mayRetry, nextAction, reduce, replay, variableValue } from "@prestage/sequence";
import type { Action, Facts, RunEnvironment, RunEvent, RunState, Step, StepOutcome, Variable } from "@prestage/sequence";
import { setTimeout as sleep } from "node:timers/promises";
import { windowsBootFolder } from "@prestage/disk";
import { dataPaths } from "@prestage/media";
import { localStore } from "../steps/user-state/state-store.ts";
import { AgentError } from "../error.ts";
import { hardwareFact } from "../facts/hardware.ts";
import { windowsSecureBoot } from "../windows/windows-facts.ts";
import { gatherFacts } from "../facts/gather-facts.ts";
import { en, textIn } from "../screens/texts/en.ts";
import type { StepsModel } from "../screens/view.ts";
import { runCommand } from "../run-command.ts";
import { stepExecutors } from "../steps/index.ts";
import type { StepExecutor } from "../steps/step-executor.ts";
import { codesText, failedWithin, referenceCode, withReference } from "../reference-codes.ts";
import { cleanUp } from "./clean-up.ts";
import { flushVolume, windowsBootId } from "../windows/installed-windows.ts";
import { Debugger } from "./debugger/debugger.ts";
import { earlierFailure, failedJust, lastStep, ownNotice } from "./last-step.ts";
import { startPostAction } from "./post-action.ts";
import { repeatSteps } from "./repeat-steps.ts";
import { reportDeviceUsers } from "./report-device-users.ts";
import type { RunFailure } from "./last-step.ts";
import { restartMachine } from "./restart-machine.ts";
import type { RunContext } from "./run-context.ts";
import { logsCommand, restartNotice, runSettings, targetSystemDrive } from "./run-settings.ts";
import type { RunSettings } from "./run-settings.ts";
import { runStep } from "./run-step.ts";
import { described, finished } from "./step-reports.ts";
import { placeOf, stepsModel } from "./steps-model.ts";

export interface RunResult { result: "succeeded" | "failed" | "restart"; to?: RunEnvironment }

export interface RunOptions {
  executors?: ReadonlyMap<string, StepExecutor>;
  /** Tells one start of the machine from the next. */
  bootId?: string;
  /** What the end of a sequence and a restart do to the machine. */
  machine?: { restart: typeof restartMachine; cleanUp: typeof cleanUp; postAction?: typeof startPostAction; /** Whether a system lies on the disk that could start; not asked where it is left out. */ startsInstalled?: typeof startsInstalled };
}

/**
 * Runs a sequence from where its journal ends, to its end or to a restart. Each transition is reported, then journalled, then acted on:
 * a power cut repeats a report rather than losing it, and repeats at most the step it fell into.
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
  #heldAtFailure = -1;
  #reportedProgress = "";
  #failure: RunFailure | undefined;

  constructor(context: RunContext, options: Required<RunOptions>, secureBoot: string) {
    this.#context = context;
    this.#options = options;
    this.#given = systemVariables(context, secureBoot);
    this.#state = replay(initialState(context.sequence, this.#given), context.journal.events);
    const { sequence, screen, log, signal, unattended = false } = context;
    this.#debugger = new Debugger({ sequence, screen, log, signal, unattended, state: () => this.#state, append: (event) => this.#append(event) });
  }

  async run(): Promise<RunResult> {
    if (this.#state.status === "running" && this.#state.bootId !== this.#options.bootId) {
      // Before the event: stopped in it, the next attempt does it again.
      await repeatSteps(this.#context, this.#options.executors, this.#given);
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
    this.#report("failed");
    this.#append({ kind: "sequence-finished", outcome: "failed" });
  }

  /** Does what comes next; a result ends the run. */
  async #act(action: Action): Promise<RunResult | undefined> {
    const { status, screen, log, sequence } = this.#context;
    switch (action.kind) {
      case "begin":
        status.post({ kind: "sequence-started", text: sequence.name });
        screen.event("sequence", { name: sequence.name, state: "started" });
        this.#append({ kind: "sequence-started", environment: this.#environment, bootId: this.#options.bootId });
        return undefined;
      case "skip":
        log(`skipped: ${action.step.name}: ${action.why}`);
        status.post({ kind: "step-skipped", outcome: "skipped", step: described(action.step, action.path), text: action.why });
        screen.event("step", { ...this.#placed(action.step), state: "skipped", why: action.why });
        this.#details.set(action.step.id, action.reason === "disabled" ? "disabled" : action.why);
        this.#append({ kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
        return undefined;
      case "enter-group":
        this.#append({ kind: "step-started", stepId: action.step.id, name: action.step.name, group: true });
        return undefined;
      case "leave-group":
        log(`group ${action.step.name} ${action.outcome}${action.outcome === "failed" ? ` [${failedWithin}]` : ""}`);
        this.#append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, group: true, outcome: action.outcome });
        return undefined;
      case "gather": {
        const { dataRoot, signal } = this.#context;
        this.#facts = new Map([...this.#facts, ...(await gatherFacts(action.queries, { root: dataRoot, signal, log }))]);
        return undefined;
      }
      case "start":
        if (action.attempt > 1 && !action.again) await this.#waitForRetry(action.step, action.attempt);
        await this.#runStep(action.step, action.path, action.again, action.attempt);
        this.#facts = new Map();
        return undefined;
      case "done-already":
        log(`step ${action.step.name} was done before the interruption: ${action.why}`);
        status.post({ kind: "step-finished", step: described(action.step, action.path), outcome: "succeeded", text: `done before the interruption: ${action.why}` });
        screen.event("step", { ...this.#placed(action.step), state: "succeeded", why: action.why });
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
        status.post({ kind: "restart", text: `to the ${action.to === "installed" ? "installed system" : "boot environment"}` });
        screen.event("restart", { to: action.to });
        await this.#options.machine.restart(this.#context, action.to, ...(await this.#announceRestart()));
        return { result: "restart", to: action.to };
      case "finish":
        if (action.outcome === "succeeded") reportDeviceUsers(this.#context, this.#state.variables);
        this.#report(action.outcome);
        this.#append({ kind: "sequence-finished", outcome: action.outcome });
        return undefined;
      case "ended":
        return action.outcome === "failed" ? this.#endFailed() : this.#endSucceeded();
    }
  }

  async #waitForRetry(step: Step, attempt: number): Promise<void> {
    const seconds = step.retry?.delaySeconds ?? 0;
    this.#context.log(`step ${step.name} is tried again in ${seconds} s (attempt ${attempt} of ${(step.retry?.times ?? 0) + 1})`);
    await sleep(seconds * 1000, undefined, { signal: this.#context.signal });
  }

  /** It never ends: what interrupts it would interrupt it for ever. */
  #giveUp(step: Step, path: string[], why: string): void {
    const { status, screen, log } = this.#context;
    const failure = { code: "PRESTAGE_AGENT_STEP_INTERRUPTED", message: `Expected the step ${step.name} to end; ${why}.`, next: "A program that restarts the computer by itself must not: have it end with a restart code. Or see why the power goes." };
    log(`step ${step.name}: ${codesText(failure)}: ${failure.message}`);
    status.post(finished(step, path, "failed", 0, { failure }));
    screen.event("step", { ...this.#placed(step), state: "failed", code: failure.code, cause: failure.message });
    this.#details.set(step.id, failure.code);
    this.#failure = { step: step.name, ...failure };
    this.#append({ kind: "step-finished", stepId: step.id, name: step.name, outcome: "failed", code: failure.code });
  }

  async #runStep(step: Step, path: string[], again: boolean, attempt: number): Promise<void> {
    const { status, screen, log } = this.#context;
    const how = again ? "again after an interruption" : attempt > 1 ? `attempt ${attempt} of ${(step.retry?.times ?? 0) + 1}` : undefined;
    log(`step ${step.name} (${step.type})${how === undefined ? "" : `, ${how}`}`);
    this.#explain(step);
    status.post({ kind: "step-started", step: described(step, path), ...(how !== undefined && { text: how }) });
    screen.event("step", { ...this.#placed(step), state: "started", again, ...(attempt > 1 && { attempt }) });
    this.#append({ kind: "step-started", stepId: step.id, name: step.name });
    this.#details.delete(step.id);
    this.#show();
    const started = performance.now();
    const result = await runStep({
      context: this.#context, step, executors: this.#options.executors, variables: () => this.#state.variables,
      setVariable: (name, value) => this.#append({ kind: "variable-set", name, value }),
      progress: (progress) => this.#showProgress(step, progress),
    });
    // On the disk before it is reported and journalled: a cut after this line must not find the step's work missing.
    if (process.platform === "win32") flushVolume(this.#context.dataRoot);
    else await runCommand("sync", ["-f", this.#context.dataRoot]);
    const seconds = (performance.now() - started) / 1000;
    this.#progress = undefined;
    const outcome: StepOutcome = result.failure === undefined ? "succeeded" : "failed";
    log(`step ${step.name} ${outcome} after ${seconds.toFixed(1)} s${result.failure === undefined ? "" : `: ${codesText({ ...result.failure, exitCode: result.exitCode })}: ${result.failure.message}`}`);
    status.post(finished(step, path, outcome, seconds, result));
    screen.event("step", { ...this.#placed(step), state: outcome, seconds: Math.round(seconds * 10) / 10, ...(result.exitCode !== undefined && { exitCode: result.exitCode }), ...(result.failure && { code: result.failure.code, cause: result.failure.message }) });
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

  #report(outcome: StepOutcome): void {
    const { status, screen, log, sequence } = this.#context;
    log(`sequence ${outcome}`);
    const failure = outcome === "failed" ? this.#failure : undefined;
    status.post({ kind: "sequence-finished", outcome, ...(failure && { error: { code: failure.code, message: `${failure.step}: ${withReference(failure)}` } }) });
    screen.event("sequence", { name: sequence.name, state: outcome });
  }

  #endFailed(): RunResult {
    const failure = this.#failure ?? earlierFailure(this.#context.sequence, this.#context.journal.events);
    const reference = referenceCode(failure);
    const then = this.#context.afterFailure?.(runSettings(this.#state.variables).errorSeconds);
    this.#context.screen.error({ code: failure.code, ...(reference !== undefined && { reference }), step: failure.step, cause: failure.message, next: failure.next, ...(then !== undefined && { then }) });
    return { result: "failed" };
  }

  /** In the installed system: the last report is delivered, however long that takes, and then nothing of the deployment stays. */
  async #endSucceeded(): Promise<RunResult> {
    const { environment, dataRoot, espRoot, status, screen, log, signal, sequence } = this.#context;
    if (environment === "boot") return this.#endInBootEnvironment();
    screen.message({ screen: "reporting", title: (texts) => texts.reporting, lines: [(texts) => texts.reportingWhat] });
    const stop = () => status.stop();
    signal.addEventListener("abort", stop, { once: true });
    const { retryStatus } = runSettings(this.#state.variables);
    const delivered = await status.flush();
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    if (!delivered && !retryStatus) log(`${status.pending} messages could not be sent and are lost: SMSTSDisableStatusRetry is true`);
    else if (!delivered) throw new AgentError("PRESTAGE_AGENT_NO_MANAGEMENT_POINT", "Expected the last messages to be delivered; they are still on the disk.", "The system is installed. It is tried again by itself.");
    status.stop();
    log("everything is reported; cleaning up");
    await this.#options.machine.cleanUp({ dataRoot, espRoot, log });
    await this.#options.machine.postAction?.(this.#state.variables, log);
    screen.done({ title: (texts) => texts.ready, lines: [(texts) => texts.sequenceEnded(sequence.name)] });
    return { result: "succeeded" };
  }

  /** A sequence may end here; where it laid down a system, that one starts and cleans up. */
  async #endInBootEnvironment(): Promise<RunResult> {
    const { screen, signal, status } = this.#context;
    if (await startsInstalled(this.#context)) {
      await this.#options.machine.restart(this.#context, "installed");
      return { result: "restart", to: "installed" };
    }
    await status.flush(30_000);
    await this.#options.machine.postAction?.(this.#state.variables, this.#context.log);
    screen.done({ title: (texts) => texts.ended, lines: [] });
    if (this.#context.unattended !== true) await screen.waitForKey({ title: (texts) => texts.ended, lines: [(texts) => texts.endedNothing, "", (texts) => texts.endedKey] }, signal);
    return { result: "succeeded" };
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

  #placed(step: Step): { id: string; name: string; type: string; number: number; of: number } {
    return { id: step.id, name: step.name, type: step.type, ...placeOf(this.#context.sequence, step.id) };
  }
}

/** Whether there is a boot loader's configuration of a system that was applied (features.md F136: a restart without one fails whatever the steps say of errors). */
async function startsInstalled({ dataRoot, espRoot }: Pick<RunContext, "dataRoot" | "espRoot">): Promise<boolean> {
  const starts = await Promise.all([join(dataRoot, "boot/grub/grub.cfg"), join(espRoot, windowsBootFolder, "BCD")].map((path) => stat(path).then(() => true, () => false)));
  return starts.includes(true);
}

/** What the agent itself says; nobody can change it. */
function systemVariables({ policy, sequence, variables, dataRoot }: RunContext, secureBoot: string) {
  const own = { _SMSTSMediaType: "OEMMedia", _SMSTSAdvertID: policy.deploymentId, _SMSTSPackageID: policy.taskSequence.id, _SMSTSPackageName: policy.taskSequence.name, _SMSTSType: deploysOperatingSystem(sequence) ? "2" : "1", _SMSTSBootUEFI: "true", _TSSecureBoot: secureBoot, _SMSTSClientCache: join(dataRoot, dataPaths.content), _SMSTSUserStatePath: join(dataRoot, localStore), _SMSTSProtectedPaths: join(dataRoot, "prestage"), _SMSTSTimezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  return [...variables, ...Object.entries(own).map(([name, value]) => ({ name, value, source: "system" as const }))];
}
