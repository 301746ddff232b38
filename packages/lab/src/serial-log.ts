import { LabError } from "./error.ts";
import { findGuestCrash } from "./guest-crash.ts";

export interface WaitOptions {
  /** Longest time, in milliseconds, in which the machine may write nothing at all; 120,000 by default. */
  timeoutMs?: number;
  /** Where in the log to begin, as returned by `mark()`; its start by default. */
  since?: number;
  signal?: AbortSignal | undefined;
}

interface Waiter {
  check(): boolean;
  fail(error: Error): void;
  restart(): void;
}

/** Keeps at most this much text, in characters: a machine that writes for ever must not fill the memory. */
const longestLog = 32 << 20;

/** What a machine writes on its serial port, without escape sequences, and what is waited for in it. */
export class SerialLog {
  #text = "";
  #dropped = 0;
  #pending = "";
  #checkedForCrash = 0;
  #ended: Error | undefined;
  #crash: LabError | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #send: (text: string) => void;
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(send: (text: string) => void, onLine?: (line: string) => void) {
    this.#send = send;
    this.#onLine = onLine;
  }

  /** All that was written so far. */
  text(since = 0): string {
    return this.#text.slice(Math.max(0, since - this.#dropped));
  }

  lines(since = 0): string[] {
    return this.text(since).split("\n");
  }

  /** The present end of the log, to wait for what comes after it. */
  mark(): number {
    return this.#dropped + this.#text.length;
  }

  write(text: string): void {
    this.#send(text);
  }

  /** Waits until a text or pattern appears, however long it takes, as long as the machine goes on writing. */
  async waitFor(pattern: string | RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    options.signal?.throwIfAborted();
    const expression = typeof pattern === "string" ? new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")) : new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    const since = options.since ?? 0;
    const limit = options.timeoutMs ?? 120_000;
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    let timer: NodeJS.Timeout | undefined;
    const silent = (): void => waiter.fail(new LabError("PRESTAGE_LAB_MACHINE_SILENT", `Expected ${String(expression)} on the serial port; the machine wrote nothing for ${Math.round(limit / 1000)} s. Its last lines: ${this.#lastLines()}`));
    const waiter: Waiter = {
      check: () => {
        const match = expression.exec(this.text(since));
        if (match !== null) resolve(match);
        return match !== null;
      },
      fail: (error) => reject(error),
      restart: () => {
        clearTimeout(timer);
        timer = setTimeout(silent, limit);
      },
    };
    const onAbort = (): void => reject(options.signal?.reason instanceof Error ? options.signal.reason : new Error("aborted"));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      if (!waiter.check()) {
        if (this.#crash !== undefined) throw this.#crash;
        if (this.#ended !== undefined) throw this.#ended;
        this.#waiters.add(waiter);
        waiter.restart();
      }
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Takes what the machine wrote. */
  receive(data: string): void {
    this.#pending += data;
    // An escape sequence may be cut in two by the pipe: its beginning waits for the rest.
    const escape = this.#pending.lastIndexOf("\u001b");
    const cut = escape >= 0 && /^(\[[0-9;?=]*)?$/.test(this.#pending.slice(escape + 1)) ? escape : this.#pending.length;
    const ready = this.#pending.slice(0, cut);
    this.#pending = this.#pending.slice(cut);
    this.#text += stripEscapes(ready);
    if (this.#text.length > longestLog) {
      const dropped = this.#text.length - longestLog / 2;
      this.#text = this.#text.slice(dropped);
      this.#dropped += dropped;
    }
    this.#lookAtNewLines();
    for (const waiter of [...this.#waiters]) {
      if (waiter.check()) this.#waiters.delete(waiter);
      else if (this.#crash !== undefined) waiter.fail(this.#crash);
      else waiter.restart();
    }
  }

  /** Says that nothing more will come; what is still waited for fails. */
  end(reason: string): void {
    this.#ended ??= new LabError("PRESTAGE_LAB_MACHINE_ENDED", `The virtual machine ended (${reason}) while something was still expected of it. Its last lines: ${this.#lastLines()}`);
    for (const waiter of this.#waiters) waiter.fail(this.#ended);
  }

  /** The guest's kernel crash, if one was seen. */
  get crash(): LabError | undefined {
    return this.#crash;
  }

  #lookAtNewLines(): void {
    for (;;) {
      const start = Math.max(0, this.#checkedForCrash - this.#dropped);
      const end = this.#text.indexOf("\n", start);
      if (end < 0) return;
      const line = this.#text.slice(start, end);
      this.#checkedForCrash = end + 1 + this.#dropped;
      this.#onLine?.(line);
      const crash = findGuestCrash(line);
      if (crash !== undefined) this.#crash ??= new LabError("PRESTAGE_LAB_GUEST_CRASHED", `The guest's kernel crashed: ${crash}. Under emulation this can be QEMU's fault; if it happens again, keep the serial log.`);
    }
  }

  #lastLines(): string {
    return this.#text.split("\n").filter((line) => line.trim() !== "").slice(-6).join(" | ").slice(-600);
  }
}

/** Removes terminal control sequences and carriage returns. */
export function stripEscapes(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/\u001b(\[[0-9;?=]*[A-Za-z@`]|\][^\u0007\u001b]*(\u0007|\u001b\\)|[()][A-Z0-9]|[A-Za-z0-9=>])/g, "").replace(/[\r\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g, "");
}
