import { objectIdSchema } from "@prestage/media/schema";
import { deviceUserSchema } from "@prestage/sequence/schema";
import { z } from "zod";

/** pending: an administrator decides. refused: a later report of the same user changes nothing. */
export const affinityStates = ["approved", "pending", "refused"] as const;
export const affinityStateSchema = z.enum(affinityStates);
export type AffinityState = z.infer<typeof affinityStateSchema>;

/** A user device affinity: this user's device. `source`: the deployment whose sequence named the user. */
export const affinitySchema = z.strictObject({
  deviceId: z.guid(), deviceName: z.string(), user: z.string(), state: affinityStateSchema, source: objectIdSchema.nullable(), created: z.iso.datetime(), decided: z.iso.datetime().nullable(),
});
export type Affinity = z.infer<typeof affinitySchema>;
export const affinityListQuerySchema = z.strictObject({ deviceId: z.guid().optional(), state: affinityStateSchema.optional() });
export const decideAffinityRequestSchema = z.strictObject({ deviceId: z.guid(), user: deviceUserSchema, decision: z.enum(["approve", "refuse"]) });
export const removeAffinityQuerySchema = z.strictObject({ deviceId: z.guid(), user: deviceUserSchema });
