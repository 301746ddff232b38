import { debugSettings, moveTo } from "@prestage/sequence";
import type { RunEvent, RunState, TaskSequence } from "@prestage/sequence";
import type { RunReports } from "../run-reports.ts";
import type { Screen } from "../../screens/screen.ts";
import { debuggerView, holdAt, pressed } from "./debugger-model.ts";
import type { DebuggerCommand, HeldAt } from "./debugger-model.ts";

export interface DebuggerOptions {
  sequence: TaskSequence;
  screen: Pick<Screen, "ask" | "event" | "interactive">;
  /** On unattended media a failure holds nothing up. */
  unattended: boolean;
  state: () => RunState;
  /** Journals it. */
  append: (event: RunEvent) => void;
  reports: Pick<RunReports, "debugger">;
  log: (line: string) => void;
  signal: AbortSignal;
}

/**
 * The reference's debugger (features.md F209): the run holds before each step, or where a step has failed, until somebody at this computer says how it goes on. Nothing of a hold
 * is kept: after a power cut the run comes to the same place and holds again. What the person changes is journalled before it counts.
 */
export class Debugger {
  readonly #options: DebuggerOptions;
  /** From step to step, to the next breakpoint, or no more until the next start of the agent. */
  #mode: "step" | "run" | "detached" = "step";
  #breakpoints: ReadonlySet<string> = new Set();
  #saidNoScreen = false;
  /** The step that may run now: what was changed may have put another one in its place. */
  #released: string | undefined;

  constructor(options: DebuggerOptions) {
    this.#options = options;
  }

  /** "changed": what comes next may be something else now; "cancelled": the sequence is to fail. */
  async hold(held: HeldAt): Promise<"on" | "changed" | "cancelled"> {
    const { state, screen, reports, sequence, signal } = this.#options;
    const released = held.kind === "before" && this.#released === held.step.id;
    this.#released = undefined;
    if (released || !this.#holdsAt(held)) return "on";
    screen.event("debugger", { held: held.kind, id: held.step.id, name: held.step.name, ...(held.kind === "failed" && { code: held.code }) });
    reports.debugger(held.kind === "failed" ? `held, ${held.step.name} failed with ${held.code}` : `held before ${held.step.name}`, held.step);
    let model = holdAt(held, { sequence, state: state() }, this.#breakpoints);
    for (let changed = false; ; changed = true) {
      const command = await screen.ask<DebuggerCommand>({
        screen: "debugger",
        view: () => debuggerView(model, { sequence, state: state() }),
        typed: (key) => {
          const next = pressed(model, key, { sequence, state: state() });
          model = next.model;
          return next.command;
        },
      }, signal);
      this.#breakpoints = model.breakpoints;
      const done = this.#do(command, held);
      if (done === "stay") continue;
      screen.event("debugger-over", { by: command.kind });
      if (done !== "on" || !changed) return done;
      this.#released = held.step.id;
      return "changed";
    }
  }

  #holdsAt({ kind, step }: HeldAt): boolean {
    const { state, screen, unattended, log } = this.#options;
    const { everyStep, onError } = debugSettings(state().variables);
    if (this.#mode === "detached" || (!everyStep && !onError)) return false;
    const wanted = kind === "failed" ? everyStep || (onError && !unattended) : everyStep && (this.#mode === "step" || this.#breakpoints.has(step.id));
    if (!wanted || screen.interactive) return wanted;
    if (!this.#saidNoScreen) log("debugger: there is no screen here with a keyboard to hold at; the sequence goes on");
    this.#saidNoScreen = true;
    return false;
  }

  #do(command: DebuggerCommand, held: HeldAt): "on" | "changed" | "cancelled" | "stay" {
    const { append, state, sequence, reports } = this.#options;
    switch (command.kind) {
      case "step":
        this.#mode = "step";
        return "on";
      case "run":
        this.#mode = "run";
        return "on";
      case "detach":
        reports.debugger("detached");
        this.#mode = "detached";
        return "on";
      case "cancel":
        reports.debugger("the sequence is ended");
        return "cancelled";
      case "set":
        reports.debugger(`${command.name} is set`);
        append({ kind: "variable-set", name: command.name, value: command.value });
        return "stay";
      case "move":
        if (command.stepId === held.step.id && held.kind === "before") return "stay";
        reports.debugger(`goes on at ${command.stepId}`);
        append(moveTo(sequence, state(), command.stepId));
        this.#mode = "step";
        return "changed";
    }
  }
}
