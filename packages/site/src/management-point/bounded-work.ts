/** Runs at most `running` pieces of work at once and keeps at most `waiting` more; what comes beyond is turned away at once. */
export class BoundedWork {
  readonly #running: number;
  readonly #waiting: number;
  #count = 0;
  readonly #queue: (() => void)[] = [];

  constructor(running: number, waiting: number) {
    this.#running = running;
    this.#waiting = waiting;
  }

  /** The result of the work, or undefined where there was no room for it. */
  async run<T>(work: () => Promise<T>): Promise<{ result: T } | undefined> {
    if (this.#count >= this.#running) {
      if (this.#queue.length >= this.#waiting) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#queue.push(resolve);
      await promise; // the place is handed over, not freed
    } else this.#count++;
    try {
      return { result: await work() };
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#count--;
      else next();
    }
  }
}
