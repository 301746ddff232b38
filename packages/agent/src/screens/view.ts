import type { StepsModel } from "./screen.ts";

/** What is on the screen; drawn anew for each terminal at its own size. */
export type View =
  | { kind: "verification"; phase: "first" | "all"; done: number; total: number; name: string }
  | { kind: "damaged"; files: { name: string; detail: string }[] }
  | { kind: "message"; screen: string; title: string; lines: string[] }
  | { kind: "approval"; code: string; siteName: string }
  | { kind: "choose"; title: string; items: { label: string; detail: string }[]; selected: number }
  | { kind: "password"; siteName: string; code: string; note?: string; /** Characters typed so far. */ length: number }
  | { kind: "wait"; title: string; lines: string[] }
  | { kind: "steps"; model: StepsModel }
  | { kind: "error"; code: string; step?: string; cause: string; next: string }
  | { kind: "done"; title: string; lines: string[] };

export interface Header { machine: string; site: string }
