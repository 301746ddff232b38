import canonicalize from "canonicalize";
import { TrustError } from "./error.ts";

/**
 * The canonical JSON bytes of a value (RFC 8785, UTF-8).
 * Integers beyond 2^53 - 1 are refused: RFC 8785 would silently write another number.
 * @throws TrustError PRESTAGE_TRUST_NOT_CANONICAL
 */
export function canonicalJson(value: unknown): Buffer {
  try {
    refuseUnsafeNumbers(value);
    const text = canonicalize(value);
    if (text === undefined) throw new TypeError("the value has no JSON form");
    return Buffer.from(text, "utf8");
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new TrustError("PRESTAGE_TRUST_NOT_CANONICAL", `Expected a value with a canonical JSON form; found: ${found}.`, { cause });
  }
}

function refuseUnsafeNumbers(value: unknown): void {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === "number" && Number.isInteger(next) && !Number.isSafeInteger(next)) throw new RangeError(`the integer ${next} is beyond 2^53 - 1`);
    if (typeof next === "object" && next !== null) for (const child of Object.values(next)) open.push(child);
  }
}
