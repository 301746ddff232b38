import type { installUpdatesStep } from "@prestage/sequence";
import type { z } from "zod";
import type { StepResult } from "../step-executor.ts";

export type UpdateSettings = Pick<z.infer<typeof installUpdatesStep.settings>, "updates" | "names" | "timeoutSeconds" | "scanTimeoutSeconds">;
/** What became of it, and whether the system wants a restart now. */
export interface UpdateResult { result: StepResult; restartWanted: boolean }
