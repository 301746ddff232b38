import { once } from "node:events";
import type { Context } from "./context.ts";

/** Data on stdout: JSON where asked for, else the text. */
export function print(context: Context, json: boolean | undefined, value: unknown, text: string): void {
  context.process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`);
}

const batchLength = 64 * 1024;

/** Data too long for one string: lines, or the members of a JSON array, written as they come and as the reader takes them. */
export async function printEach<T>(context: Context, json: boolean | undefined, values: Iterable<T>, texts: { line: (value: T) => string; member: (value: T) => unknown }): Promise<void> {
  const { stdout } = context.process;
  let batch = json === true ? "[" : "";
  let first = true;
  for (const value of values) {
    batch += json === true ? `${first ? "" : ","}\n  ${JSON.stringify(texts.member(value))}` : `${texts.line(value)}\n`;
    first = false;
    if (batch.length < batchLength) continue;
    if (!stdout.write(batch)) await taken(stdout, context.signal);
    if (stdout.destroyed) return; // as of `| head`: nobody wants the rest
    batch = "";
  }
  stdout.write(json === true ? `${batch}${first ? "" : "\n"}]\n` : batch);
}

/** Until there is room again, or the reader has gone. */
async function taken(stdout: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  if (stdout.destroyed) return;
  const done = new AbortController();
  const options = { signal: AbortSignal.any([signal, done.signal]) };
  try {
    await Promise.race([once(stdout, "drain", options), once(stdout, "close", options)]);
  } finally {
    done.abort();
  }
}

/** Columns wide enough for their longest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => rows.reduce((most, row) => Math.max(most, (row[i] ?? "").length), cell.length));
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
