import { runCommand } from "../run-command.ts";

/** Sets the clock of the system and of the hardware. */
async function setSystemClock(now: Date, log: (line: string) => void): Promise<void> {
  const set = await runCommand("date", ["-u", "-s", `@${Math.floor(now.getTime() / 1000)}`]);
  log(`clock set to the site's time ${now.toISOString()}: ${set.code === 0 ? "done" : set.output}`);
  if (set.code === 0) await runCommand("hwclock", ["-w", "-u"]);
}

/** The site's signed time, kept by the monotonic clock: setting or losing the system clock does not move it. */
export class SignedClock {
  #base: number | undefined;
  #at = 0;
  readonly #setSystemClock: typeof setSystemClock;

  constructor(options: { setSystemClock?: typeof setSystemClock } = {}) {
    this.#setSystemClock = options.setSystemClock ?? setSystemClock;
  }

  /** Takes the site's time and sets the system clock, so that TLS can be verified in full. */
  async set(now: Date, log: (line: string) => void): Promise<void> {
    this.#base = now.getTime();
    this.#at = performance.now();
    if (Math.abs(Date.now() - this.#base) >= 2000) await this.#setSystemClock(now, log);
  }

  /** The time to decide by; the system's own until the site's was received. */
  now(): Date {
    return this.#base === undefined ? new Date() : new Date(this.#base + performance.now() - this.#at);
  }
}
