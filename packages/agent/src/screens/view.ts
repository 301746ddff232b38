import type { Text } from "./texts/en.ts";

export type StepState = "waiting" | "running" | "succeeded" | "failed" | "skipped";
export interface StepsModel {
  sequence: string;
  steps: { name: string; state: StepState; detail?: string }[];
  progress?: { label: Text; done: number; total: number; unit: "bytes" | "percent" | "files" };
  /** What the running step waits for. */
  waiting?: Text;
  /** What is counted; the steps where it is left out. */
  count?: "steps" | "steps-and-percent" | "percent";
  /** Nothing of it is to be shown but that it runs. */
  hidden?: boolean;
}

/** What is on the screen; drawn anew for each terminal at its own size, in the language of the moment. */
export type View =
  | { kind: "verification"; phase: "first" | "all"; done: number; total: number; name: string }
  | { kind: "damaged"; files: { name: string; detail: string }[] }
  | { kind: "message"; screen: string; title: Text; lines: Text[] }
  | { kind: "approval"; code: string; siteName: string; conflict?: boolean }
  | { kind: "choose"; title: Text; items: { label: string; detail: string }[]; selected: number }
  | { kind: "password"; siteName: string; code: string; note?: Text; /** Characters typed so far. */ length: number; /** Only while somebody wants to see it. */ shown?: string; keyboard?: string }
  | { kind: "wait"; title: Text; lines: Text[] }
  | { kind: "high-impact"; headline: string; texts: string[]; left: Text }
  | { kind: "steps"; model: StepsModel }
  | { kind: "error"; code: string; /** What the reference would say. */ reference?: string; step?: string; cause: string; next: Text; /** What happens then. */ then?: Text }
  | { kind: "done"; title: Text; lines: Text[] }
  | { kind: "log"; lines: readonly string[]; /** Lines after the last one shown. */ back: number }
  | DebuggerView
  | { kind: "form"; title: Text; fields: { label: Text; value: string; hint?: Text }[]; selected: number; notes: Text[]; bad: boolean };

/** A run that holds for a person. */
export interface DebuggerView {
  kind: "debugger";
  title: Text;
  failed: boolean;
  pane: "steps" | "variables";
  steps: { name: string; depth: number; state: StepState; group: boolean; /** It is what runs next, or what has failed. */ next: boolean; breakpoint: boolean }[];
  selected: number;
  /** Masked already. */
  variables: { name: string; value: string; source: string }[];
  variable: number;
  entry?: { name: string; value: string; part: "name" | "value" };
  note?: Text;
}

export interface Header { machine: string; site: string; /** Terminals on which somebody has a support shell. */ shells?: string | undefined }
