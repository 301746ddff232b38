import type { Tool } from "./overlay.ts";
import type { Text } from "./texts/en.ts";
import type { Language } from "./texts/index.ts";
import type { StepsModel, View } from "./view.ts";

/** The screen that asks for the media password, and shows the approval code beside it. */
export interface PasswordModel { siteName: string; code: string; /** Why it is asked again. */ note?: Text }
export interface PasswordPrompt {
  /** Resolves to what was typed, when it is sent with Enter on any terminal. */
  readonly typed: Promise<string>;
  /** Changes what stands beside the entry; what was typed stays. */
  update(model: PasswordModel): void;
}

/** What a person at the machine sees, on every terminal at once; and one machine-readable line per event on the serial port. */
export interface Screen {
  verification(event: { phase: "first" | "all"; done: number; total: number; name: string }): void;
  damaged(event: { files: { name: string; detail: string }[] }): void;
  message(event: { screen: string; title: Text; lines: Text[] }): void;
  /** The code must be readable across a room. */
  approval(event: { code: string; siteName: string; /** The claim on this disk was used by another computer. */ conflict?: boolean }): void;
  /** Resolves to the index chosen by keys 1 to 9, arrows and Enter, on any terminal. */
  choose(event: { title: Text; items: { label: string; detail: string }[] }, signal: AbortSignal): Promise<number>;
  /** Nothing of what is typed is shown, logged or written but one mark a character. */
  password(model: PasswordModel, signal: AbortSignal): PasswordPrompt;
  waitForKey(event: { title: Text; lines: Text[] }, signal: AbortSignal): Promise<void>;
  /** Waits for any key and leaves what is shown. */
  anyKey(signal: AbortSignal): Promise<void>;
  /** Says what is about to happen; resolves when a key is pressed or the time is over. */
  countdown(event: { screen: string; title: Text; lines: (left: number) => Text[]; seconds: number; /** Shown in place of title and lines, where something is drawn. */ view?: (left: number) => View }, signal: AbortSignal): Promise<"key" | "time">;
  /** Shows a screen of its own until `typed` has an answer for a key, as a terminal sent it. */
  ask<T extends object>(event: { screen: string; view: () => View; typed: (key: string) => T | undefined }, signal: AbortSignal): Promise<T>;
  /** Whether there is a terminal here on which somebody could answer. */
  readonly interactive: boolean;
  steps(model: StepsModel): void;
  error(event: { code: string; /** What the reference would say. */ reference?: string; step?: string; cause: string; next: Text; /** What happens then. */ then?: Text }): void;
  done(event: { title: Text; lines: Text[] }): void;
  setLanguage(language: Language): void;
  /** Puts what a function key does on every screen; a second one of the same number takes its place. */
  addTool(tool: Tool): void;
  /** One line `@@prestage NAME JSON` on the serial port: what the lab and the tests wait for. */
  event(name: string, data: object): void;
}
