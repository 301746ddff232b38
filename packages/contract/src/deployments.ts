import { objectIdSchema } from "@prestage/media/schema";
import { z } from "zod";

export const makeAvailableToSchema = z.enum(["Clients", "ClientsMediaAndPxe", "MediaAndPxe", "MediaAndPxeHidden"]);
export type MakeAvailableTo = z.infer<typeof makeAvailableToSchema>;

const instant = z.iso.datetime({ offset: true });
/** When a deployment is offered, at the same instant everywhere; null: from now on, or without end. What runs already goes on. */
const deploymentTimes = { availableFrom: instant.nullable().optional(), expires: instant.nullable().optional() };

/** When a required deployment is due: at an instant, or again and again from one on; months are the calendar's, in UTC. */
export const assignmentSchema = z.union([z.strictObject({ at: instant }), z.strictObject({ from: instant, every: z.int().min(1).max(999), unit: z.enum(["hours", "days", "weeks", "months"]) })]);
export type Assignment = z.infer<typeof assignmentSchema>;

/** Whether a computer that has run a required deployment is to run it again (features.md F153). */
export const reruns = ["always", "never", "if-failed", "if-succeeded"] as const;
export type Rerun = (typeof reruns)[number];

/** Shown at the computer before a required deployment of an operating system begins. All are mandatory (features.md F149). */
const highImpactText = z.string().min(1).max(255).regex(/^[^\p{Cc}]*$/u, "no control characters");
export const highImpactSchema = z.strictObject({ headline: highImpactText, texts: z.tuple([highImpactText, highImpactText, highImpactText]) });
export type HighImpact = z.infer<typeof highImpactSchema>;

/** Thresholds in percent of the computers a deployment reaches (features.md F156). */
const percent = z.int().min(1).max(100);
export const alertSettingsSchema = z.strictObject({
  /** By `by`, fewer than `percent` have succeeded. */
  successBelow: z.strictObject({ percent, by: instant }).nullable(),
  /** More than this have failed. */
  failureAbove: z.int().min(0).max(99).nullable(),
});
export type AlertSettings = z.infer<typeof alertSettingsSchema>;

/** How a deployment runs, apart from whom it goes to. */
const behaviour = {
  /** Of a required deployment; none: as soon as possible. Before the first it is offered as available. */
  assignments: z.array(assignmentSchema).max(64).optional(),
  rerun: z.enum(reruns).optional(),
  highImpact: highImpactSchema.nullable().optional(),
  alerts: alertSettingsSchema.partial().optional(),
};

/** What an administrator agrees to with a required deployment of an operating system. */
const agreements = {
  /** To a collection larger than the site's default size. */
  largeCollection: z.boolean().default(false),
  /** To a collection with a computer the site itself runs on, where the site only warns of it. */
  siteSystems: z.boolean().default(false),
};

export const createDeploymentRequestSchema = z
  .strictObject({
    taskSequenceId: objectIdSchema,
    collectionId: objectIdSchema.optional(),
    deviceId: z.guid().optional(),
    purpose: z.enum(["available", "required"]),
    makeAvailableTo: makeAvailableToSchema,
    comment: z.string().max(1000).default(""),
    /** Give its secrets to devices that were let in by the media password alone, too. */
    secretsToPassword: z.boolean().default(false),
    /** The run holds before each step: for few computers, and for none that the same sequence is deployed to otherwise (features.md F162). */
    debug: z.boolean().default(false),
    ...deploymentTimes,
    ...behaviour,
    ...agreements,
  })
  .refine((value) => (value.collectionId === undefined) !== (value.deviceId === undefined), "a deployment has either a collection or a device");
export const setDeploymentRequestSchema = z.strictObject({ purpose: z.enum(["available", "required"]).optional(), makeAvailableTo: makeAvailableToSchema.optional(), enabled: z.boolean().optional(), secretsToPassword: z.boolean().optional(), ...deploymentTimes, ...behaviour, ...agreements });
export const deploymentSchema = z.strictObject({
  id: objectIdSchema, taskSequenceId: objectIdSchema, taskSequenceName: z.string(), collectionId: objectIdSchema.nullable(), deviceId: z.guid().nullable(),
  purpose: z.enum(["available", "required"]), makeAvailableTo: makeAvailableToSchema, enabled: z.boolean(), comment: z.string(), created: z.iso.datetime(),
  /** Required, and it deploys an operating system (features.md F142). */
  highRisk: z.boolean(),
  secretsToPassword: z.boolean(),
  availableFrom: z.iso.datetime().nullable(), expires: z.iso.datetime().nullable(),
  assignments: z.array(assignmentSchema), rerun: z.enum(reruns), highImpact: highImpactSchema.nullable(), debug: z.boolean(), alerts: alertSettingsSchema,
  /** How many computers it reaches, and how the last run of each went. */
  computers: z.strictObject({ reached: z.int(), succeeded: z.int(), failed: z.int(), running: z.int(), overdue: z.int() }),
  /** Names only; a value never leaves the site but sealed to a device. */
  secretVariables: z.array(z.string()),
});
export type Deployment = z.infer<typeof deploymentSchema>;

export const alertKinds = ["success-below", "failure-above"] as const;
export type AlertKind = (typeof alertKinds)[number];
/** `cleared`: when it was no longer true; `closed`: when an administrator closed it. Open while both are null. */
export const alertSchema = z.strictObject({
  id: z.guid(), deploymentId: objectIdSchema, taskSequenceName: z.string(), kind: z.enum(alertKinds),
  /** In percent: what was set, and what was found when it opened. */
  threshold: z.int(), percent: z.int(),
  opened: z.iso.datetime(), cleared: z.iso.datetime().nullable(), closed: z.iso.datetime().nullable(),
});
export type Alert = z.infer<typeof alertSchema>;
export const alertListQuerySchema = z.strictObject({ all: z.enum(["true", "false"]).optional() });

/** A device's run of a deployment, from what it reported. */
export const runSchema = z.strictObject({
  deviceId: z.guid(), deviceName: z.string(), deploymentId: z.string(), started: z.iso.datetime(), finished: z.iso.datetime().nullable(),
  /** null: it runs, or was never heard of again. */
  outcome: z.enum(["succeeded", "failed", "skipped"]).nullable(),
  maximumMinutes: z.int(),
  /** It runs for longer than its sequence's maximum run time. */
  overdue: z.boolean(),
});
export type RunRecord = z.infer<typeof runSchema>;
export const runListQuerySchema = z.strictObject({ deploymentId: objectIdSchema.optional(), deviceId: z.guid().optional() });
