import { writeFileSync } from "node:fs";
import { drawView } from "./draw.ts";
import { parseKeys } from "./keys.ts";
import type { Key } from "./keys.ts";
import { printable } from "./line.ts";
import { editPassword } from "./password-entry.ts";
import type { PasswordModel, PasswordPrompt, Screen, StepsModel } from "./screen.ts";
import { Terminal } from "./terminal.ts";
import type { Header, View } from "./view.ts";

/** Progress is drawn at most this often; slow serial lines are the measure. */
const drawIntervalMs = 250;
const fetchEventIntervalMs = 1000;

/** The parts of a terminal the screens use. */
export interface ScreenTerminal {
  readonly style: "screen" | "serial" | "lines";
  readonly size: { width: number; height: number };
  draw(lines: ReturnType<typeof drawView>): void;
  forget(): void;
  event(text: string): void;
  print(text: string): void;
}

/** Screens on every terminal at once. */
export class TerminalScreen implements Screen {
  readonly #terminals: ScreenTerminal[] = [];
  #header: Header = { machine: "", site: "" };
  #view: View | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #onKey: ((key: Key) => void) | undefined;
  #onText: ((text: string) => void) | undefined;
  #fetchReportedAt = Number.NEGATIVE_INFINITY;
  #printed = new Map<string, string>();

  addTerminal(terminal: ScreenTerminal): void {
    this.#terminals.push(terminal);
  }

  /** Names this computer and its site at the top of every screen. */
  setHeader(header: Partial<Header>): void {
    this.#header = { ...this.#header, ...header };
    this.#draw(true);
  }

  /** What was typed on any of the terminals. */
  typed(text: string): void {
    if (this.#onText !== undefined) return this.#onText(text);
    for (const key of parseKeys(text)) this.#onKey?.(key);
  }

  verification(event: { phase: "first" | "all"; done: number; total: number; name: string }): void {
    const known = this.#view?.kind === "verification" && this.#view.phase === event.phase;
    this.#show({ kind: "verification", ...event }, known ? undefined : { screen: "verification", phase: event.phase });
  }
  damaged(event: { files: { name: string; detail: string }[] }): void {
    this.#show({ kind: "damaged", ...event }, { screen: "damaged", files: event.files.slice(0, 20) });
  }
  message(event: { screen: string; title: string; lines: string[] }): void {
    this.#show({ kind: "message", ...event }, { screen: event.screen, title: event.title });
  }
  approval(event: { code: string; siteName: string }): void {
    this.#header = { ...this.#header, site: event.siteName };
    this.#show({ kind: "approval", ...event }, { screen: "approval", code: event.code });
  }
  steps(model: StepsModel): void {
    const known = this.#view?.kind === "steps";
    this.#printSteps(model);
    this.#show({ kind: "steps", model }, known ? undefined : { screen: "steps", sequence: model.sequence });
  }
  error(event: { code: string; step?: string; cause: string; next: string }): void {
    this.#print(`${event.code}: ${event.cause} ${event.next}`);
    this.event("error", event);
    this.#show({ kind: "error", ...event }, { screen: "error", code: event.code });
  }
  done(event: { title: string; lines: string[] }): void {
    this.#print(event.title);
    this.#show({ kind: "done", ...event }, { screen: "done" });
    this.event("done", event);
  }

  async choose(event: { title: string; items: { label: string; detail: string }[] }, signal: AbortSignal): Promise<number> {
    let selected = 0;
    const show = (first: boolean) => this.#show({ kind: "choose", ...event, selected }, first ? { screen: "choose", title: event.title, items: event.items.map((item) => item.label) } : undefined);
    show(true);
    return this.#untilKey(signal, (key) => {
      if (key.kind === "enter") return selected;
      if (key.kind === "digit" && key.value <= event.items.length) return key.value - 1;
      if (key.kind === "up") selected = Math.max(0, selected - 1);
      if (key.kind === "down") selected = Math.min(event.items.length - 1, selected + 1);
      show(false);
      return undefined;
    });
  }

  password(model: PasswordModel, signal: AbortSignal): PasswordPrompt {
    let current = model;
    let entry = { typed: "", sent: false };
    const show = (announced: boolean) => {
      const { note, ...rest } = current;
      this.#show({ kind: "password", ...rest, ...(note !== undefined && { note }), length: Array.from(entry.typed).length }, announced ? { screen: "password", code: current.code, ...(note !== undefined && { note }) } : undefined);
    };
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#onText = (text) => {
      entry = editPassword(entry, text);
      if (entry.sent) resolve(entry.typed);
      show(false);
    };
    show(true);
    const typed = this.#untilDone(promise, signal, () => (this.#onText = undefined));
    typed.catch(() => undefined); // who no longer waits for it has ended it by the signal
    return {
      typed,
      update: (next) => {
        // The same again is drawn where another screen came between.
        if (next.code === current.code && next.note === current.note && this.#view?.kind === "password") return;
        current = next;
        show(true);
      },
    };
  }

  async waitForKey(event: { title: string; lines: string[] }, signal: AbortSignal): Promise<void> {
    this.#show({ kind: "wait", ...event }, { screen: "wait-for-key", title: event.title });
    await this.#untilKey(signal, () => 0);
  }

  async anyKey(signal: AbortSignal): Promise<void> {
    await this.#untilKey(signal, () => 0);
  }

  event(name: string, data: object): void {
    if (name === "fetch" && !this.#showFetch(data)) return;
    if (name === "enrolled" && "deviceName" in data && typeof data.deviceName === "string") this.setHeader({ machine: data.deviceName });
    const text = `@@prestage ${name} ${asciiJson(data)}`;
    for (const terminal of this.#terminals) terminal.event(text);
  }

  /** Bytes being fetched belong to the running step; true when it is time for a line about them. */
  #showFetch(data: object): boolean {
    if ("done" in data && "total" in data && typeof data.done === "number" && typeof data.total === "number" && this.#view?.kind === "steps") {
      this.#view = { kind: "steps", model: { ...this.#view.model, progress: { label: "Fetching from a distribution point", done: data.done, total: data.total, unit: "bytes" } } };
      this.#draw(false);
      if (data.done < data.total && performance.now() - this.#fetchReportedAt < fetchEventIntervalMs) return false;
    }
    this.#fetchReportedAt = performance.now();
    return true;
  }

  async #untilKey(signal: AbortSignal, take: (key: Key) => number | undefined): Promise<number> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#onKey = (key) => {
      const result = take(key);
      if (result !== undefined) resolve(result);
    };
    return this.#untilDone(promise, signal, () => (this.#onKey = undefined));
  }

  /** Waits for a person, or for the signal. */
  async #untilDone<T>(answer: Promise<T>, signal: AbortSignal, end: () => void): Promise<T> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    // The terminals' input does not keep the process alive; waiting for a key does.
    const alive = setInterval(() => undefined, 60_000);
    try {
      return await Promise.race([answer, aborted]);
    } finally {
      clearInterval(alive);
      end();
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** A new screen is drawn at once and whole, the same one again with its changes, not too often. */
  #show(view: View, event: object | undefined): void {
    const changed = event !== undefined;
    this.#view = view;
    if (changed) {
      for (const terminal of this.#terminals) terminal.forget();
      this.#print(titleOf(view));
    }
    this.#draw(changed || view.kind === "choose" || view.kind === "password");
    if (changed) this.event("screen", event);
  }

  #draw(now: boolean): void {
    const wait = this.#drawnAt + drawIntervalMs - performance.now();
    if (!now && wait > 0) {
      this.#timer ??= setTimeout(() => this.#draw(true), wait).unref();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = performance.now();
    if (this.#view === undefined) return;
    for (const terminal of this.#terminals) {
      if (terminal.style === "lines") continue;
      const { width, height } = terminal.size;
      terminal.draw(drawView(this.#view, this.#header, width, height));
    }
  }

  /** On a console somebody else owns: one line for each change. */
  #printSteps(model: StepsModel): void {
    for (const [i, step] of model.steps.entries()) {
      const key = `${i} ${step.name}`;
      if (step.state === "waiting" || this.#printed.get(key) === step.state) continue;
      this.#printed.set(key, step.state);
      this.#print(`step ${i + 1} of ${model.steps.length}, ${step.name}: ${step.state}`);
    }
  }
  #print(text: string): void {
    if (text === "") return;
    for (const terminal of this.#terminals) terminal.print(`prestage: ${printable(text)}`);
  }
}

function titleOf(view: View): string {
  return view.kind === "message" || view.kind === "wait" ? view.title : "";
}

/** One line of ASCII, whatever the names: programs read it from serial ports of every encoding. */
function asciiJson(data: object): string {
  return JSON.stringify(data).replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Opens the terminals there are; on those that are drawn on, the kernel's messages are kept away. */
export function openTerminals(paths: readonly string[]): TerminalScreen {
  const screen = new TerminalScreen();
  const opened: Terminal[] = [];
  for (const path of paths) {
    const terminal = Terminal.open(path, (text) => screen.typed(text));
    if (terminal === undefined) continue;
    opened.push(terminal);
    screen.addTerminal(terminal);
  }
  if (opened.some((terminal) => terminal.style !== "lines")) {
    if (process.env["PRESTAGE_ENVIRONMENT"] === "boot") quietKernel();
    process.on("exit", () => {
      for (const terminal of opened) terminal.restore();
    });
  }
  return screen;
}

/** Emergencies only on the console: a panic is still seen. */
function quietKernel(): void {
  try {
    writeFileSync("/proc/sys/kernel/printk", "1 4 1 7");
  } catch {
    // Only the looks of the screen.
  }
}
