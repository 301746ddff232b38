import type { CommandContext } from "@stricli/core";

/** What every command works with: where to write, and the signal of Ctrl-C. */
export interface Context extends CommandContext {
  readonly process: NodeJS.Process;
  readonly signal: AbortSignal;
}
