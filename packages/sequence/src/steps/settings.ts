import { z } from "zod";
import { secretReferenceSchema } from "../schema.ts";

/** A setting may come out of a variable, and a variable is text. */
export const flagSchema = z.union([z.boolean(), z.string().regex(/^(true|false)$/i, "true or false").transform((text) => text.toLowerCase() === "true")]);
export const integerSchema = z.union([z.int(), z.string().regex(/^\d{1,9}$/, "a whole number").transform(Number)]);
/** An object's id, in braces or not. */
export const referenceSchema = z.string().regex(/^(\{[A-Z0-9]{3}[0-9A-F]{5}\}|[A-Z0-9]{3}[0-9A-F]{5})$/, "an object's id, such as ABC00001").transform((text) => text.replace(/[{}]/g, ""));
export const commandSchema = z.string().min(1).max(100_000);
export const successCodesSchema = z.array(integerSchema).max(64).default([0]).describe("Exit codes that are a success, besides 0");
export const restartCodesSchema = z.array(integerSchema).max(64).default([3010]).describe("Exit codes that ask for a restart, after which the sequence goes on with the next step");
export const timeoutSchema = integerSchema.optional().describe("Seconds until the program is ended and the step has failed");
/** NAME of NAME01 and so on. */
export const baseVariableSchema = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,252}$/, "letters, digits, _, - and ., beginning with a letter");
export const outputVariableSchema = z.string().max(256).optional().describe("The first 1,000 characters it prints go into this variable");
/** A password, key or token: `{ secret: NAME }`; a literal is refused. */
export const secretSetting = secretReferenceSchema;
/** Who a step's program runs as, in place of the agent. */
export const accountSchema = z
  .strictObject({
    name: z.string().min(1).max(256).regex(/^[^\p{Cc}"/:*?<>|-][^\p{Cc}"/:*?<>|]*$/u, "an account: user, DOMAIN\\user or user@domain").describe("The account"),
    password: secretSetting.optional().describe("Its password, which Windows needs and Linux does not"),
  })
  .optional()
  .describe("Who it runs as, in the installed system alone. On Linux it gets its own HOME and a copy of the package that it can read, and nothing of the agent's is opened to it. On Windows a scheduled task runs it: the account needs the right to log on as a batch job, and `secrets` do not reach it");
export type RunAccount = NonNullable<z.infer<typeof accountSchema>>;
