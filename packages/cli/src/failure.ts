import { z } from "zod";

/** A failure's stable code and its message. What a schema refused was typed by the user or came from a file the user named. */
export function failureOf(cause: unknown): { code: string; message: string } {
  if (cause instanceof z.ZodError) return { code: "PRESTAGE_CLI_BAD_ARGUMENT", message: `Expected other input: ${z.prettifyError(cause)}` };
  if (!(cause instanceof Error)) return { code: "PRESTAGE_UNEXPECTED", message: String(cause) };
  return { code: "code" in cause && typeof cause.code === "string" ? cause.code : "PRESTAGE_UNEXPECTED", message: cause.message };
}
