import { objectIdSchema } from "@prestage/media/schema";
import { z } from "zod";

/** A setting may come out of a variable, and a variable is text. */
export const flagSchema = z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]);
export const integerSchema = z.union([z.int(), z.string().regex(/^\d{1,9}$/).transform(Number)]);
export const referenceSchema = z.string().transform((text) => text.replace(/^\{(.*)\}$/, "$1")).pipe(objectIdSchema);
export const commandSchema = z.string().min(1).max(100_000);
