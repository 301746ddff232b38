/** Bytes [first, last] of a file, both included. */
export interface ByteRange { first: number; last: number }

/**
 * Reads a Range header (RFC 9110 section 14.2) of one range. `whole` where there is none, or it is of a form that may be ignored
 * (several ranges, another unit); `unsatisfiable` where it lies past the end.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "whole" | "unsatisfiable" {
  const match = /^bytes=(\d{0,400})-(\d{0,400})$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return "whole";
  const [, from = "", to = ""] = match;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return first >= size || first > last ? "unsatisfiable" : { first, last };
}
