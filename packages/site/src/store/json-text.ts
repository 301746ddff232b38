/** JSON as PostgreSQL's jsonb takes it: no NUL and no half of a surrogate pair, which a device may well report from its firmware. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === "string" ? part.replaceAll("\0", "\ufffd").toWellFormed() : part));
}
