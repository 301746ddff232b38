import type { StatusMessage } from "@prestage/contract";
import { groupsAround } from "@prestage/sequence";
import type { Action, RunEnvironment, RunEvent, Step, StepOutcome, TaskSequence } from "@prestage/sequence";
import { codesText, failedWithin, withReference } from "../reference-codes.ts";
import type { StepResult } from "../steps/step-executor.ts";
import type { RunFailure } from "./last-step.ts";
import type { RunContext } from "./run-context.ts";
import { placeOf } from "./steps-model.ts";

type ActionOf<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/**
 * Says each transition of a run in its three places: the agent's log, the site (a status message that stays on the disk until the site has it) and the event lines of the screen.
 * It is said before it is journalled; where a power cut comes between the two, the site is not told again.
 */
export class RunReports {
  readonly #context: Pick<RunContext, "status" | "screen" | "log" | "sequence" | "journal">;

  constructor(context: Pick<RunContext, "status" | "screen" | "log" | "sequence" | "journal">) {
    this.#context = context;
  }

  get #sequence(): TaskSequence {
    return this.#context.sequence;
  }

  sequenceStarted(): void {
    const { screen } = this.#context;
    this.#post({ kind: "sequence-started", text: this.#sequence.name });
    screen.event("sequence", { name: this.#sequence.name, state: "started" });
  }

  sequenceFinished(outcome: StepOutcome, failed: RunFailure | undefined): void {
    const { screen, log } = this.#context;
    log(`sequence ${outcome}`);
    const failure = outcome === "failed" ? failed : undefined;
    this.#post({ kind: "sequence-finished", outcome, ...(failure && { error: { code: failure.code, message: `${failure.step}: ${withReference(failure)}` } }) });
    screen.event("sequence", { name: this.#sequence.name, state: outcome });
  }

  skipped({ step, path, why }: ActionOf<"skip">): void {
    const { screen, log } = this.#context;
    log(`skipped: ${step.name}: ${why}`);
    this.#post({ kind: "step-skipped", outcome: "skipped", step: described(step, path), text: why });
    screen.event("step", { ...this.#placed(step), state: "skipped", why });
  }

  groupStarted({ step, path }: ActionOf<"enter-group">): void {
    const { log } = this.#context;
    log(`group ${step.name}`);
    this.#post({ kind: "group-started", group: describedGroup(step, path) });
  }

  groupFinished({ step, path, outcome }: ActionOf<"leave-group">): void {
    const { log } = this.#context;
    log(`group ${step.name} ${outcome}${outcome === "failed" ? ` [${failedWithin}]` : ""}`);
    this.#post({ kind: "group-finished", group: describedGroup(step, path), outcome });
  }

  /** `how`: nothing for a first attempt. */
  stepStarting(step: Step, how: string | undefined): void {
    this.#context.log(`step ${step.name} (${step.type})${how === undefined ? "" : `, ${how}`}`);
  }

  stepStarted(step: Step, path: string[], how: string | undefined, { again, attempt }: { again: boolean; attempt: number }): void {
    const { screen } = this.#context;
    this.#post({ kind: "step-started", step: described(step, path), ...(how !== undefined && { text: how }) });
    screen.event("step", { ...this.#placed(step), state: "started", again, ...(attempt > 1 && { attempt }) });
  }

  stepFinished(step: Step, path: string[], seconds: number, result: StepResult): void {
    const { screen, log } = this.#context;
    const { failure, exitCode } = result;
    const outcome: StepOutcome = failure === undefined ? "succeeded" : "failed";
    log(`step ${step.name} ${outcome} after ${seconds.toFixed(1)} s${failure === undefined ? "" : `: ${codesText({ ...failure, exitCode })}: ${failure.message}`}`);
    this.#post(finished(step, path, outcome, seconds, result));
    screen.event("step", { ...this.#placed(step), state: outcome, seconds: Math.round(seconds * 10) / 10, ...(exitCode !== undefined && { exitCode }), ...(failure && { code: failure.code, cause: failure.message }) });
  }

  doneAlready({ step, path, why }: ActionOf<"done-already">): void {
    const { screen, log } = this.#context;
    log(`step ${step.name} was done before the interruption: ${why}`);
    this.#post({ kind: "step-finished", step: described(step, path), outcome: "succeeded", text: `done before the interruption: ${why}` });
    screen.event("step", { ...this.#placed(step), state: "succeeded", why });
  }

  gaveUp(step: Step, path: string[], failure: NonNullable<StepResult["failure"]>): void {
    const { screen, log } = this.#context;
    log(`step ${step.name}: ${codesText(failure)}: ${failure.message}`);
    this.#post(finished(step, path, "failed", 0, { failure }));
    screen.event("step", { ...this.#placed(step), state: "failed", code: failure.code, cause: failure.message });
  }

  restarts(to: RunEnvironment): void {
    const { status, screen } = this.#context;
    status.post({ kind: "restart", text: `to the ${environmentName(to)}` });
    screen.event("restart", { to });
  }

  /** The computer started again in the middle of the run, asked to or not. */
  restarted(environment: RunEnvironment, asked: boolean): void {
    const { status, log } = this.#context;
    const text = `in the ${environmentName(environment)}${asked ? "" : ", and nothing had asked for it: the power went, or somebody restarted this computer"}`;
    log(`started again ${text}`);
    status.post({ kind: "restarted", text });
  }

  /** What somebody at this computer does in the debugger; values are never part of it. */
  debugger(text: string, step?: Step): void {
    const { status, log } = this.#context;
    log(`debugger: ${text}`);
    status.post({ kind: "debugger", text, ...(step && { step: described(step, groupsAround(this.#sequence, step.id)) }) });
  }

  /** Once for each place in the journal: what is journalled next is what this tells of, if the power stays on. A computer's start is no such place: it comes in between. */
  #post(message: Parameters<RunContext["status"]["post"]>[0]): void {
    const { status, journal } = this.#context;
    const place = journal.events.filter(isTransition).length;
    status.post(message, `${place} ${message.kind} ${(message.step ?? message.group)?.id ?? ""} ${message.outcome ?? ""}`);
  }

  #placed(step: Step): { id: string; name: string; type: string; number: number; of: number } {
    return { id: step.id, name: step.name, type: step.type, ...placeOf(this.#sequence, step.id) };
  }
}

function isTransition({ kind }: RunEvent): boolean {
  return kind !== "restarted" && kind !== "variable-set" && kind !== "moved";
}

function environmentName(environment: RunEnvironment): string {
  return environment === "installed" ? "installed system" : "boot environment";
}

/** A step as the site's messages name it. */
function described(step: Step, path: string[]): NonNullable<StatusMessage["step"]> {
  return { id: step.id, name: step.name, type: step.type, path };
}

function describedGroup(group: Step, path: string[]): NonNullable<StatusMessage["group"]> {
  return { id: group.id, name: group.name, path };
}

/** The message that a step has ended. */
function finished(step: Step, path: string[], outcome: StepOutcome, seconds: number, result: StepResult): Parameters<RunContext["status"]["post"]>[0] {
  return {
    kind: "step-finished", step: described(step, path), outcome, seconds,
    ...(result.exitCode !== undefined && { exitCode: result.exitCode }),
    ...(result.outputTail !== undefined && { outputTail: result.outputTail }),
    ...(result.failure && { error: { code: result.failure.code, message: withReference({ ...result.failure, exitCode: result.exitCode }) } }),
  };
}
