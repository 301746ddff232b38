import { readdirSync, readFileSync } from "node:fs";
import { needlesOf } from "./secret-search.ts";
import type { Secret, SecretFinding } from "./secret-search.ts";

const intervalMs = 200;

/** Samples the command lines of all processes of this machine for secrets, for as long as it runs. */
export class CommandLineWatch {
  readonly #needles: ReturnType<typeof needlesOf>;
  readonly #findings = new Map<string, SecretFinding>();
  readonly #seen = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(secrets: readonly Secret[]) {
    this.#needles = secrets.flatMap(needlesOf);
  }

  static start(secrets: readonly Secret[]): CommandLineWatch {
    const watch = new CommandLineWatch(secrets);
    watch.sample();
    watch.#timer = setInterval(() => watch.sample(), intervalMs);
    watch.#timer.unref();
    return watch;
  }

  /** How many different command lines were looked at. */
  get processes(): number {
    return this.#seen.size;
  }

  sample(): void {
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      let line: Buffer;
      try {
        line = readFileSync(`/proc/${name}/cmdline`);
      } catch {
        continue; // it has ended
      }
      const key = line.toString("latin1");
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      const program = line.subarray(0, Math.max(0, line.indexOf(0))).toString();
      for (const needle of this.#needles) if (line.includes(needle.bytes)) this.#findings.set(`${needle.secret} ${program}`, { secret: needle.secret, where: `the command line of ${program}`, encoding: needle.encoding });
    }
  }

  stop(): SecretFinding[] {
    clearInterval(this.#timer);
    this.sample();
    return [...this.#findings.values()];
  }
}
