import { setTimeout as sleep } from "node:timers/promises";
import type { ShellResult } from "./run-shell.ts";
import type { StepRun } from "./step-executor.ts";

/** Windows Installer: done, a restart is wanted or has begun (features.md F322). */
export const restartRequired = 3010;
export const restartBegun = 1641;
export const installedToo = 1707;
/** Another installation is in progress. */
export const busy = 1618;

/**
 * The reference tries a busy installer again every two hours, ten times: a day in which nobody could use the computer. A task sequence has nothing else to do,
 * and what is in its way is as a rule an installation the system began by itself: every minute, ten times.
 */
const tries = 10;
const pauseMs = 60_000;

/** Runs an installer, and once more as long as another one is in its way. */
export async function whileBusy(run: Pick<StepRun, "context" | "output">, what: string, attempt: () => Promise<ShellResult>, pause = pauseMs): Promise<ShellResult> {
  for (let tried = 1; ; tried++) {
    const result = await attempt();
    if (result.exitCode !== busy || tried > tries) return result;
    run.output(`${what}: another installation is in progress (${busy}); tried again in ${pause / 1000} s (${tried} of ${tries})`);
    await sleep(pause, undefined, { signal: run.context.signal });
  }
}
