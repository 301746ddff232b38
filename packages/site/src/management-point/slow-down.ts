import { HashedSlots } from "./hashed-slots.ts";

/** The longest wait a wrong password can lead to, in seconds. */
const longestSeconds = 300;
/** After this long without another failure everything is forgotten. */
const forgetAfterMs = 15 * 60_000;

/**
 * Makes callers that guess slower and slower: each failure doubles the wait. Memory of a fixed size; a caller waits for as long as
 * the more lenient of its two hashed places says. `free` failures cost only the first second: behind one address there may be many people.
 */
export class SlowDown {
  readonly #slots: HashedSlots;
  readonly #failures: Uint16Array;
  readonly #until: Float64Array;
  readonly #free: number;

  constructor(free: number, slots = 16_384) {
    this.#slots = new HashedSlots(slots);
    this.#failures = new Uint16Array(slots);
    this.#until = new Float64Array(slots);
    this.#free = free;
  }

  /** Seconds this caller has to wait still; 0: it may try. `now` in milliseconds. */
  wait(caller: string, now: number): number {
    const left = this.#slots.of(caller).map((slot) => (this.#until[slot] ?? 0) - now);
    return Math.max(0, Math.min(...left) / 1000);
  }

  /** Counts a failure. Counted before a password is looked at, so that a hundred at once are not a hundred for the price of one. */
  fail(caller: string, now: number): void {
    for (const slot of this.#slots.of(caller)) {
      const forgotten = now - (this.#until[slot] ?? 0) > forgetAfterMs;
      const failures = Math.min(1000, (forgotten ? 0 : (this.#failures[slot] ?? 0)) + 1);
      this.#failures[slot] = failures;
      this.#until[slot] = now + 1000 * Math.min(longestSeconds, 2 ** Math.min(20, Math.max(0, failures - 1 - this.#free)));
    }
  }

  /** Takes a counted failure back: the password was right. */
  forgive(caller: string, now: number): void {
    for (const slot of this.#slots.of(caller)) {
      this.#failures[slot] = Math.max(0, (this.#failures[slot] ?? 0) - 1);
      this.#until[slot] = now;
    }
  }
}
