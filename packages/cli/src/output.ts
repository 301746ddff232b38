import type { Context } from "./context.ts";

/** Data on stdout: JSON where asked for, else the text. */
export function print(context: Context, json: boolean | undefined, value: unknown, text: string): void {
  context.process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`);
}

/** Columns wide enough for their longest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd();
  return rows.length === 0 ? `${line(head)}\n(none)` : [line(head), ...rows.map(line)].join("\n");
}

/** Progress on stderr: one line rewritten on a terminal; elsewhere a plain line at every tenth. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #phase = "";
  #tenth = -1;
  #drawn = 0;

  constructor(context: Context) {
    this.#stream = context.process.stderr;
  }

  update(phase: string, done: number, total: number): void {
    const percent = total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : 0;
    if (this.#stream.isTTY) {
      if (phase === this.#phase && performance.now() - this.#drawn < 100 && percent < 100) return;
      if (phase !== this.#phase && this.#phase !== "") this.#stream.write("\n");
      const filled = Math.floor(percent / 4);
      this.#stream.write(`\r\u001b[K${phase.padEnd(12)} [${"#".repeat(filled)}${".".repeat(25 - filled)}] ${String(percent).padStart(3)} %`);
      this.#drawn = performance.now();
    } else {
      if (phase !== this.#phase) this.#tenth = -1;
      const tenth = Math.floor(percent / 10);
      if (tenth !== this.#tenth) this.#stream.write(`${phase}: ${percent} %\n`);
      this.#tenth = tenth;
    }
    this.#phase = phase;
  }

  /** A line of its own. */
  say(text: string): void {
    this.end();
    this.#stream.write(`${text}\n`);
  }

  /** Leaves the line behind. */
  end(): void {
    if (this.#stream.isTTY && this.#phase !== "") this.#stream.write("\n");
    this.#phase = "";
    this.#tenth = -1;
  }
}

/** A number and what is counted, in the singular where it is one. */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}
