export type StepState = "waiting" | "running" | "succeeded" | "failed" | "skipped";
export interface StepsModel {
  sequence: string;
  steps: { name: string; state: StepState; detail?: string }[];
  progress?: { label: string; done: number; total: number; unit: "bytes" | "percent" | "files" };
}

/** What a person at the machine sees, on every terminal at once; and one machine-readable line per event on the serial port. */
export interface Screen {
  verification(event: { phase: "first" | "all"; done: number; total: number; name: string }): void;
  damaged(event: { files: { name: string; detail: string }[] }): void;
  message(event: { screen: string; title: string; lines: string[] }): void;
  /** The code must be readable across a room. */
  approval(event: { code: string; siteName: string }): void;
  /** Resolves to the index chosen by keys 1 to 9, arrows and Enter, on any terminal. */
  choose(event: { title: string; items: { label: string; detail: string }[] }, signal: AbortSignal): Promise<number>;
  waitForKey(event: { title: string; lines: string[] }, signal: AbortSignal): Promise<void>;
  /** Waits for any key and leaves what is shown. */
  anyKey(signal: AbortSignal): Promise<void>;
  steps(model: StepsModel): void;
  error(event: { code: string; step?: string; cause: string; next: string }): void;
  done(event: { title: string; lines: string[] }): void;
  /** One line `@@prestage NAME JSON` on the serial port: what the lab and the tests wait for. */
  event(name: string, data: object): void;
}
