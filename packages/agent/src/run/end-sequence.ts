import { stat } from "node:fs/promises";
import { join } from "node:path";
import { windowsBootFolder } from "@prestage/disk";
import type { RunEnvironment, StepOutcome, Variables } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { referenceCode } from "../reference-codes.ts";
import type { cleanUp } from "./clean-up.ts";
import { earlierFailure } from "./last-step.ts";
import type { RunFailure } from "./last-step.ts";
import type { startPostAction } from "./post-action.ts";
import type { restartMachine } from "./restart-machine.ts";
import type { RunContext } from "./run-context.ts";
import { runSettings } from "./run-settings.ts";

export interface RunResult { result: "succeeded" | "failed" | "restart"; to?: RunEnvironment }

/** What the end of a sequence and a restart do to the machine. */
export interface RunMachine { restart: typeof restartMachine; cleanUp: typeof cleanUp; postAction?: typeof startPostAction; /** Whether a system lies on the disk that could start; not asked where it is left out. */ startsInstalled?: typeof startsInstalled }

interface SequenceEnd { outcome: StepOutcome; variables: Variables; /** What failed last, where this start of the agent has seen it. */ failure: RunFailure | undefined }

/** After the last event of a run: what the person at the computer sees, the last report, and cleaning up. Safe to do again, as often as the power goes in it. */
export async function endSequence(context: RunContext, machine: RunMachine, end: SequenceEnd): Promise<RunResult> {
  if (end.outcome === "failed") return endFailed(context, end);
  return context.environment === "boot" ? endInBootEnvironment(context, machine, end.variables) : endInstalled(context, machine, end.variables);
}

function endFailed({ sequence, journal, screen, afterFailure }: RunContext, end: SequenceEnd): RunResult {
  const failure = end.failure ?? earlierFailure(sequence, journal.events);
  const reference = referenceCode(failure);
  const then = afterFailure?.(runSettings(end.variables).errorSeconds);
  screen.error({ code: failure.code, ...(reference !== undefined && { reference }), step: failure.step, cause: failure.message, next: failure.next, ...(then !== undefined && { then }) });
  return { result: "failed" };
}

/** In the installed system: the last report is delivered, however long that takes, and then nothing of the deployment stays. */
async function endInstalled({ dataRoot, espRoot, status, screen, log, signal, sequence }: RunContext, machine: RunMachine, variables: Variables): Promise<RunResult> {
  screen.message({ screen: "reporting", title: (texts) => texts.reporting, lines: [(texts) => texts.reportingWhat] });
  const stop = () => status.stop();
  signal.addEventListener("abort", stop, { once: true });
  const delivered = await status.flush();
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (!delivered && !runSettings(variables).retryStatus) log(`${status.pending} messages could not be sent and are lost: SMSTSDisableStatusRetry is true`);
  else if (!delivered) throw new AgentError("PRESTAGE_AGENT_NO_MANAGEMENT_POINT", "Expected the last messages to be delivered; they are still on the disk.", "The system is installed. It is tried again by itself.");
  status.stop();
  log("everything is reported; cleaning up");
  await machine.cleanUp({ dataRoot, espRoot, log });
  await machine.postAction?.(variables, log);
  screen.done({ title: (texts) => texts.ready, lines: [(texts) => texts.sequenceEnded(sequence.name)] });
  return { result: "succeeded" };
}

/** A sequence may end here; where it laid down a system, that one starts and cleans up. */
async function endInBootEnvironment(context: RunContext, machine: RunMachine, variables: Variables): Promise<RunResult> {
  const { screen, signal, status, log, unattended } = context;
  if (await startsInstalled(context)) {
    await machine.restart(context, "installed");
    return { result: "restart", to: "installed" };
  }
  await status.flush(30_000);
  await machine.postAction?.(variables, log);
  screen.done({ title: (texts) => texts.ended, lines: [] });
  if (unattended !== true) await screen.waitForKey({ title: (texts) => texts.ended, lines: [(texts) => texts.endedNothing, "", (texts) => texts.endedKey] }, signal);
  return { result: "succeeded" };
}

/** Whether there is a boot loader's configuration of a system that was applied (features.md F136: a restart without one fails whatever the steps say of errors). */
export async function startsInstalled({ dataRoot, espRoot }: Pick<RunContext, "dataRoot" | "espRoot">): Promise<boolean> {
  const starts = await Promise.all([join(dataRoot, "boot/grub/grub.cfg"), join(espRoot, windowsBootFolder, "BCD")].map((path) => stat(path).then(() => true, () => false)));
  return starts.includes(true);
}
