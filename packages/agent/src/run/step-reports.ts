import type { StatusMessage } from "@prestage/contract";
import type { Step, StepOutcome } from "@prestage/sequence";
import type { StepResult } from "../steps/step-executor.ts";
import { withReference } from "../reference-codes.ts";
import type { RunContext } from "./run-context.ts";

/** A step as the site's messages name it. */
export function described(step: Step, path: string[]): NonNullable<StatusMessage["step"]> {
  return { id: step.id, name: step.name, type: step.type, path };
}

/** The message that a step has ended. */
export function finished(step: Step, path: string[], outcome: StepOutcome, seconds: number, result: StepResult): Parameters<RunContext["status"]["post"]>[0] {
  return {
    kind: "step-finished", step: described(step, path), outcome, seconds,
    ...(result.exitCode !== undefined && { exitCode: result.exitCode }),
    ...(result.outputTail !== undefined && { outputTail: result.outputTail }),
    ...(result.failure && { error: { code: result.failure.code, message: withReference({ ...result.failure, exitCode: result.exitCode }) } }),
  };
}
