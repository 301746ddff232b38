import { z } from "zod";

/** environment: the boot environment on the staged disk; installed: the installed system. */
export const runEnvironmentSchema = z.enum(["environment", "installed"]);
export type RunEnvironment = z.infer<typeof runEnvironmentSchema>;
export const stepOutcomeSchema = z.enum(["succeeded", "failed"]);
export type StepOutcome = z.infer<typeof stepOutcomeSchema>;

const stepId = z.string().min(1).max(128);
const name = z.string().max(256);
const bootId = z.string().max(64);

/** What a run's journal holds; groups are started and finished like steps, with `group`. */
export const runEventSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("sequence-started"), environment: runEnvironmentSchema, bootId }),
  z.strictObject({ kind: z.literal("step-started"), stepId, name, group: z.literal(true).optional() }),
  z.strictObject({
    kind: z.literal("step-finished"), stepId, name, group: z.literal(true).optional(), outcome: stepOutcomeSchema, exitCode: z.int().optional(),
    /** Of a failure: its code, for who comes after a power cut. */
    code: z.string().max(128).optional(),
    /** It failed and is run again. */
    retry: z.literal(true).optional(),
    /** In the same record as the outcome, so that no power cut can come between them. */
    restart: runEnvironmentSchema.optional(),
  }),
  z.strictObject({ kind: z.literal("step-skipped"), stepId, name, reason: z.enum(["disabled", "condition"]) }),
  z.strictObject({ kind: z.literal("variable-set"), name, value: z.string().max(4000) }),
  /** A person at the debugger has the run go on at a step: what is passed over, the groups that are entered, and what has not run any more. */
  z.strictObject({ kind: z.literal("moved"), stepId, skip: z.array(stepId).max(10_000), enter: z.array(stepId).max(10_000), forget: z.array(stepId).max(10_000) }),
  z.strictObject({ kind: z.literal("restart-requested"), to: runEnvironmentSchema }),
  /** The agent came up again, asked for or not. */
  z.strictObject({ kind: z.literal("restarted"), environment: runEnvironmentSchema, bootId }),
  z.strictObject({ kind: z.literal("sequence-finished"), outcome: stepOutcomeSchema }),
]);
export type RunEvent = z.infer<typeof runEventSchema>;
