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
    ...deploymentTimes,
    ...agreements,
  })
  .refine((value) => (value.collectionId === undefined) !== (value.deviceId === undefined), "a deployment has either a collection or a device");
export const setDeploymentRequestSchema = z.strictObject({ purpose: z.enum(["available", "required"]).optional(), makeAvailableTo: makeAvailableToSchema.optional(), enabled: z.boolean().optional(), secretsToPassword: z.boolean().optional(), ...deploymentTimes, ...agreements });
export const deploymentSchema = z.strictObject({
  id: objectIdSchema, taskSequenceId: objectIdSchema, taskSequenceName: z.string(), collectionId: objectIdSchema.nullable(), deviceId: z.guid().nullable(),
  purpose: z.enum(["available", "required"]), makeAvailableTo: makeAvailableToSchema, enabled: z.boolean(), comment: z.string(), created: z.iso.datetime(),
  /** Required, and it deploys an operating system (features.md F142). */
  highRisk: z.boolean(),
  secretsToPassword: z.boolean(),
  availableFrom: z.iso.datetime().nullable(), expires: z.iso.datetime().nullable(),
  /** Names only; a value never leaves the site but sealed to a device. */
  secretVariables: z.array(z.string()),
});
export type Deployment = z.infer<typeof deploymentSchema>;

export const alertKinds = ["success-below", "failure-above"] as const;
export type AlertKind = (typeof alertKinds)[number];
