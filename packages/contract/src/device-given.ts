import { objectIdSchema } from "@prestage/media/schema";
import { sha256Schema } from "@prestage/content/schema";
import { z } from "zod";

/** `taskSequence`: its deployments alone; `deployment`: that one; `media`: as if it were started from that, and not from the one it was staged from. */
export const deviceGivenQuerySchema = z.strictObject({ taskSequence: objectIdSchema.optional(), deployment: objectIdSchema.optional(), media: sha256Schema.optional() });
export type DeviceGivenQuery = z.infer<typeof deviceGivenQuerySchema>;

/** `of`: whose it is: the collection's name and id, the deployment's id. */
const origin = { source: z.enum(["collection", "deployment", "device"]), of: z.string().optional() };

/** What a device would be given for a run: what a policy says of it, told before there is one. */
export const deviceGivenSchema = z.strictObject({
  /** Those that reach it, the one taken first. */
  deployments: z.array(
    z.strictObject({
      id: objectIdSchema, purpose: z.enum(["available", "required"]),
      /** Whether it would be offered now: to run by itself, to be chosen, or not. */
      offered: z.enum(["required", "available", "no"]),
      /** Why it is not. */
      why: z.string().optional(),
    }),
  ),
  /** The media asked for, or else the one it was staged from; null: the site has none. */
  mediaId: sha256Schema.nullable(),
  /** By precedence, later wins. */
  variables: z.array(z.strictObject({ name: z.string(), value: z.string(), ...origin })),
  /** Names, never values. */
  secrets: z.array(z.strictObject({ name: z.string(), ...origin })),
  /** Why it would get none of them. */
  secretsRefused: z.string().optional(),
});
export type DeviceGiven = z.infer<typeof deviceGivenSchema>;
