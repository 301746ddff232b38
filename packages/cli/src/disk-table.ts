import { basename } from "node:path";
import type { Context } from "./context.ts";
import { CliError } from "./error.ts";
import { print, Progress, table } from "./output.ts";

/** How each of several disks goes on: a table drawn anew on a terminal, elsewhere a plain line at every quarter of a phase. One disk has its one line. */
export class DiskTable {
  readonly #stream: NodeJS.WriteStream;
  readonly #single: Progress | undefined;
  readonly #rows = new Map<string, { phase: string; percent: number }>();
  #lines = 0;
  #drawn = 0;

  constructor(context: Context, disks: readonly string[]) {
    this.#stream = context.process.stderr;
    this.#single = disks.length === 1 ? new Progress(context) : undefined;
    for (const disk of disks) this.#rows.set(disk, { phase: "waiting", percent: 0 });
  }

  update(disk: string, phase: string, done: number, total: number): void {
    if (this.#single !== undefined) return this.#single.update(phase, done, total);
    const percent = total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : 0;
    const row = this.#rows.get(disk);
    const news = row === undefined || row.phase !== phase || Math.floor(row.percent / 25) !== Math.floor(percent / 25);
    this.#rows.set(disk, { phase, percent });
    if (this.#stream.isTTY) {
      if (news || performance.now() - this.#drawn > 100) this.#draw();
    } else if (news) this.#stream.write(`${disk}: ${phase} ${percent} %\n`);
  }

  #draw(): void {
    const width = Math.max(...[...this.#rows.keys()].map((disk) => basename(disk).length));
    const lines = [...this.#rows].map(([disk, { phase, percent }]) => `\u001b[K${basename(disk).padEnd(width)}  ${phase.padEnd(9)} [${"#".repeat(Math.floor(percent / 5)).padEnd(20, ".")}] ${String(percent).padStart(3)} %`);
    this.#stream.write(`${this.#lines > 0 ? `\u001b[${this.#lines}A` : ""}${lines.join("\n")}\n`);
    this.#lines = lines.length;
    this.#drawn = performance.now();
  }

  /** Leaves the table behind. */
  end(): void {
    this.#single?.end();
    if (this.#lines > 0) this.#draw();
    this.#lines = 0;
  }
}

export type DiskOutcome = { disk: string; outcome: "failed"; error: Error } | { disk: string; outcome: string; verified: number; receiptFile?: string | undefined };

/**
 * 0: all disks are good. 1: none is. 32 to 63: some failed; the five low bits say which of the first five did (1 the
 * first, 2 the second, 4, 8, 16), so that 32 alone means: only beyond the fifth. --json names each.
 */
export function disksExitCode(results: readonly { outcome: string }[]): number {
  const failed = results.filter((one) => one.outcome === "failed").length;
  if (failed === 0) return 0;
  if (failed === results.length) return 1;
  return 32 + results.slice(0, 5).reduce((bits, one, i) => bits + (one.outcome === "failed" ? 2 ** i : 0), 0);
}

/** Prints what became of each disk and sets the exit code. A single disk's failure is thrown as it is. */
export function tellDisks(context: Context, json: boolean | undefined, results: readonly DiskOutcome[]): void {
  const [only] = results;
  const failure = (error: Error) => ({ code: "code" in error && typeof error.code === "string" ? error.code : "PRESTAGE_UNEXPECTED", message: error.message });
  const shown = results.map((one) => ("error" in one ? { disk: one.disk, outcome: one.outcome, error: failure(one.error) } : one));
  const rows = results.map((one) => ("error" in one ? [one.disk, `failed: ${one.error.message}`, "-", "-"] : [one.disk, one.outcome, String(one.verified), one.outcome === "golden" ? "none" : (one.receiptFile ?? "on the disk")]));
  if (json !== true && results.length === 1 && only !== undefined && "error" in only) throw only.error;
  print(context, json, shown, table(["DISK", "OUTCOME", "FILES VERIFIED", "RECEIPT"], rows));
  context.process.exitCode = disksExitCode(results);
  const failed = results.filter((one) => one.outcome === "failed").length;
  if (failed === 0 || json === true) return;
  const { code, message } = new CliError("PRESTAGE_CLI_FAILED_PARTLY", `Expected all of ${results.length} disks to succeed; ${failed} failed.`);
  context.process.stderr.write(`prestage: ${message}\n(${code})\n`);
}
