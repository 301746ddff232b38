import { drawView } from "./draw.ts";
import { keyOf, splitKeys } from "./keys.ts";
import type { Key } from "./keys.ts";
import { printable } from "./line.ts";
import { editPassword } from "./password-entry.ts";
import type { PasswordModel, PasswordPrompt, Screen } from "./screen.ts";
import { titleOf, waitingText } from "./said-in-words.ts";
import { untilAnswered } from "./until-answered.ts";
import type { StepsModel } from "./view.ts";
import { eventLine } from "./event-line.ts";
import { functionKeys } from "./function-keys.ts";
import type { LendableTerminal, Overlay, Tool } from "./overlay.ts";
import { en, textIn } from "./texts/en.ts";
import type { Text } from "./texts/en.ts";
import { languages } from "./texts/index.ts";
import type { Language } from "./texts/index.ts";
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
  /** Itself, where it can be given away. */
  readonly lendable?: LendableTerminal | undefined;
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
  #language: Language = "en";
  #overlay: Overlay | undefined;
  /** Stands at the bottom up to the next key. */
  #notice: Text | undefined;
  readonly #tools = new Map<number, Tool>();
  /** What F4 does where there is something to show. */
  #onShow: (() => void) | undefined;
  /** The keyboard's layout, where it is known. */
  #keyboard: string | undefined;
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

  setLanguage(language: Language): void {
    this.#language = language;
    this.#draw(true);
  }
  /** For what is written where nothing is drawn. */
  inLanguage(text: Text): string {
    return textIn(languages[this.#language], text);
  }
  /** Shown beside the password entry. */
  setKeyboard(layout: string): void {
    this.#keyboard = layout;
    this.#draw(true);
  }
  addTool(tool: Tool): void {
    this.#tools.set(tool.number, tool);
    this.#draw(true);
  }

  /** What was typed on one of the terminals: function keys first, then the screen on top, then what waits below it. */
  typed(text: string, terminal?: ScreenTerminal): void {
    let rest = "";
    if (this.#notice !== undefined) {
      this.#notice = undefined;
      this.#draw(true);
    }
    for (const token of splitKeys(text)) {
      const key = keyOf(token);
      if (terminal?.lendable?.lent === true) return; // by the key before: this one is no longer for us
      if (key.kind === "function" || token === "\u0014") this.#function(key.kind === "function" ? key.number : 4, terminal);
      else if (this.#overlay !== undefined) this.#overlay.typed(token);
      else if (this.#onText !== undefined) rest += token;
      else this.#onKey?.(key);
    }
    if (rest !== "") this.#onText?.(rest);
  }

  #function(number: number, terminal: ScreenTerminal | undefined): void {
    if (number === 2) return this.setLanguage(this.#language === "en" ? "fr" : "en");
    if (number === 4) return this.#onShow?.();
    this.#tools.get(number)?.press({
      terminal: terminal?.lendable,
      open: (overlay) => {
        if (overlay !== undefined && overlay.name !== this.#overlay?.name) this.event("overlay", { overlay: overlay.name });
        this.#overlay = overlay;
        this.#draw(true);
      },
      redraw: () => this.#draw(true),
      say: (text) => {
        this.#notice = text;
        this.#draw(true);
      },
      event: (name, data) => this.event(name, data),
    });
  }

  verification(event: { phase: "first" | "all"; done: number; total: number; name: string }): void {
    const known = this.#view?.kind === "verification" && this.#view.phase === event.phase;
    this.#show({ kind: "verification", ...event }, known ? undefined : { screen: "verification", phase: event.phase });
  }
  damaged(event: { files: { name: string; detail: string }[] }): void {
    this.#show({ kind: "damaged", ...event }, { screen: "damaged", files: event.files.slice(0, 20) });
  }
  message(event: { screen: string; title: Text; lines: Text[] }): void {
    this.#show({ kind: "message", ...event }, { screen: event.screen, title: textIn(en, event.title) });
  }
  approval(event: { code: string; siteName: string; conflict?: boolean }): void {
    this.#header = { ...this.#header, site: event.siteName };
    this.#show({ kind: "approval", ...event }, { screen: "approval", code: event.code });
  }
  steps(model: StepsModel): void {
    const known = this.#view?.kind === "steps";
    if (model.hidden !== true) this.#printSteps(model);
    this.#show({ kind: "steps", model }, known ? undefined : { screen: "steps", sequence: model.sequence });
  }
  error(event: { code: string; reference?: string; step?: string; cause: string; next: Text; then?: Text }): void {
    const { then = "", ...told } = event;
    const next = `${textIn(en, event.next)} ${textIn(en, then)}`.trim();
    this.#print(`${event.code}${event.reference === undefined ? "" : ` [${event.reference}]`}${event.step === undefined ? "" : `, ${event.step}`}: ${event.cause} ${next}`);
    this.event("error", { ...told, next });
    this.#show({ kind: "error", ...event }, { screen: "error", code: event.code });
  }
  done(event: { title: Text; lines: Text[] }): void {
    const title = textIn(en, event.title);
    this.#print(title);
    this.#show({ kind: "done", ...event }, { screen: "done" });
    this.event("done", { title, lines: event.lines.map((text) => textIn(en, text)) });
  }

  async choose(event: { title: Text; items: { label: string; detail: string }[] }, signal: AbortSignal): Promise<number> {
    let selected = 0;
    const show = (first: boolean) => this.#show({ kind: "choose", ...event, selected }, first ? { screen: "choose", title: textIn(en, event.title), items: event.items.map((item) => item.label) } : undefined);
    show(true);
    return this.#untilKey(signal, (key) => {
      if (key.kind === "enter") return selected;
      if (key.kind === "digit" && key.value <= event.items.length) return key.value - 1;
      if (key.kind === "up") selected = Math.max(0, selected - 1);
      if (key.kind === "down") selected = Math.min(event.items.length - 1, selected + 1);
      if (key.kind === "page-up") selected = Math.max(0, selected - 10);
      if (key.kind === "page-down") selected = Math.min(event.items.length - 1, selected + 10);
      if (key.kind === "home") selected = 0;
      if (key.kind === "end") selected = event.items.length - 1;
      show(false);
      return undefined;
    });
  }

  password(model: PasswordModel, signal: AbortSignal): PasswordPrompt {
    let current = model;
    let entry = { typed: "", sent: false };
    let shown = false;
    const show = (announced: boolean) => {
      const { note, ...rest } = current;
      this.#show({ kind: "password", ...rest, ...(note !== undefined && { note }), length: Array.from(entry.typed).length, ...(shown && { shown: entry.typed }) }, announced ? { screen: "password", code: current.code, ...(note !== undefined && { note: textIn(en, note) }) } : undefined);
    };
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#onText = (text) => {
      entry = editPassword(entry, text);
      if (entry.sent) resolve(entry.typed);
      show(false);
    };
    this.#onShow = () => {
      shown = !shown;
      show(false);
    };
    show(true);
    const typed = untilAnswered(promise, signal, () => (this.#onText = this.#onShow = undefined));
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

  async waitForKey(event: { title: Text; lines: Text[] }, signal: AbortSignal): Promise<void> {
    this.#show({ kind: "wait", ...event }, { screen: "wait-for-key", title: textIn(en, event.title) });
    await this.#untilKey(signal, () => 0);
  }

  async countdown(event: { screen: string; title: Text; lines: (left: number) => Text[]; seconds: number; view?: (left: number) => View }, signal: AbortSignal): Promise<"key" | "time"> {
    const { screen, title, lines, seconds, view = (remaining) => ({ kind: "wait", title, lines: lines(remaining) }) } = event;
    if (this.#terminals.length === 0) return "time"; // nobody to be told
    let left = seconds;
    const over = Promise.withResolvers<"time">();
    const show = (first: boolean) => this.#show(view(left), first ? { screen, title: textIn(en, title), seconds } : undefined);
    const timer = setInterval(() => {
      left--;
      if (left > 0) show(false);
      else over.resolve("time");
    }, 1000);
    show(true);
    for (const text of lines(left)) this.#print(textIn(en, text));
    const ended = new AbortController();
    const key = this.#untilKey(AbortSignal.any([signal, ended.signal]), () => 0).then(() => "key" as const);
    try {
      return await Promise.race([key, over.promise]);
    } finally {
      clearInterval(timer);
      key.catch(() => undefined); // ended here, when the time is over
      ended.abort();
    }
  }

  async ask<T extends object>(event: { screen: string; view: () => View; typed: (key: string) => T | undefined }, signal: AbortSignal): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#onText = (text) => {
      for (const key of splitKeys(text)) {
        const answer = event.typed(key);
        if (answer !== undefined) return resolve(answer); // what was typed ahead is for nobody
      }
      this.#show(event.view(), undefined);
      this.#draw(true);
    };
    this.#show(event.view(), { screen: event.screen });
    return untilAnswered(promise, signal, () => (this.#onText = undefined));
  }
  get interactive(): boolean {
    return this.#terminals.some(({ style }) => style !== "lines");
  }

  async anyKey(signal: AbortSignal): Promise<void> {
    await this.#untilKey(signal, () => 0);
  }

  event(name: string, data: object): void {
    if (name === "fetch" && !this.#showFetch(data)) return;
    this.#showWaiting(name, data);
    if (name === "enrolled" && "deviceName" in data && typeof data.deviceName === "string") this.setHeader({ machine: data.deviceName });
    const text = eventLine(name, data);
    for (const terminal of this.#terminals) terminal.event(text);
  }

  /** What the running step waits for is said until it goes on. */
  #showWaiting(name: string, data: object): void {
    if (this.#view?.kind !== "steps") return;
    const { waiting: before, ...model } = this.#view.model;
    const waiting = waitingText(name, data) ?? (name === "waiting-over" ? undefined : before);
    if (waiting === before) return;
    this.#view = { kind: "steps", model: { ...model, ...(waiting !== undefined && { waiting }) } };
    this.#draw(true);
  }

  /** Bytes being fetched belong to the running step; true when it is time for a line about them. */
  #showFetch(data: object): boolean {
    if ("done" in data && "total" in data && typeof data.done === "number" && typeof data.total === "number" && this.#view?.kind === "steps") {
      const { waiting: _over, ...model } = this.#view.model;
      this.#view = { kind: "steps", model: { ...model, progress: { label: (texts) => texts.fetching, done: data.done, total: data.total, unit: "bytes" } } };
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
    return untilAnswered(promise, signal, () => (this.#onKey = undefined));
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
    const below = this.#view?.kind === "password" && this.#keyboard !== undefined ? { ...this.#view, keyboard: this.#keyboard } : this.#view;
    const view = this.#overlay?.view() ?? below;
    if (view === undefined) return;
    for (const terminal of this.#terminals) {
      if (terminal.style === "lines") continue;
      const { width, height } = terminal.size;
      terminal.draw(drawView(view, this.#header, width, height, languages[this.#language], this.#keys(), this.#notice));
    }
  }

  #keys(): string {
    const password = this.#view?.kind === "password" && this.#overlay === undefined ? (this.#view.shown === undefined ? "hidden" : "shown") : undefined;
    return functionKeys(this.#tools.values(), this.#language, password);
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
