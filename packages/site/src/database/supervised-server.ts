import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

export type ServerEvent = { kind: "ended"; how: string; againInMs: number } | { kind: "answers" } | { kind: "failed"; cause: unknown };

/** A server that ran this long was all right: its next end is counted as the first. */
const steadyMs = 60_000;
const longestWaitMs = 30_000;

/** How long to wait before starting a server again that ended for the n-th time in a row. */
export function restartDelayMs(failures: number): number {
  return Math.min(longestWaitMs, 250 * 2 ** Math.min(failures - 1, 20));
}

/** A child process that is started again when it ends by itself, ever more slowly, until it is stopped. */
export class SupervisedServer {
  #child: ChildProcess;
  readonly #launch: () => Promise<ChildProcess>;
  readonly #ready: (child: ChildProcess) => Promise<void>;
  readonly #onEvent: (event: ServerEvent) => void;
  readonly #stopped = new AbortController();
  #supervising: Promise<void> | undefined;

  /** `ready` resolves when a started child answers. */
  constructor(first: ChildProcess, launch: () => Promise<ChildProcess>, ready: (child: ChildProcess) => Promise<void>, onEvent: (event: ServerEvent) => void) {
    this.#child = watched(first);
    this.#launch = launch;
    this.#ready = ready;
    this.#onEvent = onEvent;
  }

  /** From now on what ends is started again. */
  supervise(): void {
    this.#supervising ??= this.#keepRunning();
  }

  /** Ends the server, or the wait for its next start. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#child.kill("SIGINT");
    await this.#supervising;
    await ended(this.#child);
  }

  async #keepRunning(): Promise<void> {
    for (let failures = 1; ; failures++) {
      const since = performance.now();
      await ended(this.#child);
      if (performance.now() - since > steadyMs) failures = 1;
      if (this.#stopped.signal.aborted) return;
      const againInMs = restartDelayMs(failures);
      this.#onEvent({ kind: "ended", how: String(this.#child.exitCode ?? this.#child.signalCode ?? "not started"), againInMs });
      await delay(againInMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      try {
        this.#child = watched(await this.#launch());
      } catch (cause) {
        this.#onEvent({ kind: "failed", cause });
        continue;
      }
      // Stopped while it was being started.
      if (this.#stopped.signal.aborted) this.#child.kill("SIGINT");
      else void this.#tellReady(this.#child);
    }
  }

  async #tellReady(child: ChildProcess): Promise<void> {
    try {
      await this.#ready(child);
      this.#onEvent({ kind: "answers" });
    } catch (cause) {
      // That it ended is told where it is started again.
      if (!hasEnded(child)) this.#onEvent({ kind: "failed", cause });
    }
  }
}

/** A program that can't be started says so by an event nobody else hears. */
function watched(child: ChildProcess): ChildProcess {
  return child.on("error", () => undefined);
}

/** True where the process ended, or never began. */
export function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await once(child, "exit");
}
