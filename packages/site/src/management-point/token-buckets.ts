import { HashedSlots } from "./hashed-slots.ts";

/**
 * A rate limit for callers that have proven nothing, in memory of a fixed size: callers share hashed buckets, two each, and one is let
 * through while either of its two has a token. So one loud caller empties its own, and hardly ever another's.
 */
export class TokenBuckets {
  readonly #slots: HashedSlots;
  readonly #tokens: Float64Array;
  readonly #filledAt: Float64Array;
  readonly #perSecond: number;
  readonly #burst: number;

  constructor(perSecond: number, burst: number, slots = 32_768) {
    this.#slots = new HashedSlots(slots);
    this.#tokens = new Float64Array(slots).fill(burst);
    this.#filledAt = new Float64Array(slots);
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Takes a token for this caller; false where it has none left. `now` in milliseconds. */
  take(caller: string, now: number): boolean {
    let taken = false;
    for (const slot of this.#slots.of(caller)) {
      const grown = ((now - (this.#filledAt[slot] ?? 0)) / 1000) * this.#perSecond;
      const tokens = Math.min(this.#burst, (this.#tokens[slot] ?? 0) + Math.max(0, grown));
      this.#filledAt[slot] = now;
      this.#tokens[slot] = Math.max(0, tokens - 1);
      if (tokens >= 1) taken = true;
    }
    return taken;
  }
}
