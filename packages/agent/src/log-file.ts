import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const recentLines = 2000;

/** The agent's log on the data volume, and on standard output for the service's journal. A full disk never stops a deployment. */
export class LogFile {
  #path: string | undefined;
  #waiting: string[] = [];
  readonly #recent: string[] = [];

  /** From now on lines go to the data volume, those before it too. */
  open(dataRoot: string): void {
    const folder = join(dataRoot, "prestage/log");
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#path = join(folder, "agent.log");
    } catch {
      return; // lines stay in memory and on standard output
    }
    for (const line of this.#waiting.splice(0)) this.#append(line);
  }

  /** Until it is opened again lines stay in memory: the volume is unmounted. */
  hold(): void {
    this.#path = undefined;
  }

  /** The last lines, for the screen. */
  get recent(): readonly string[] {
    return this.#recent;
  }

  readonly write = (text: string): void => {
    const line = `${new Date().toISOString()} ${text}\n`;
    process.stdout.write(line);
    this.#recent.push(...line.trimEnd().split("\n"));
    if (this.#recent.length > 2 * recentLines) this.#recent.splice(0, this.#recent.length - recentLines);
    if (this.#path === undefined) this.#waiting.push(line);
    else this.#append(line);
  };

  #append(line: string): void {
    try {
      appendFileSync(this.#path ?? "", line, { mode: 0o600 });
    } catch {
      // The line is on standard output.
    }
  }
}
