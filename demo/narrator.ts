/** Says what happens, with the seconds since the beginning; on a terminal the last line may be rewritten for progress. */
export class Narrator {
  readonly #started = performance.now();
  readonly #live = process.stdout.isTTY;
  #progress = false;
  #quarter = "";

  readonly say = (line: string): void => {
    if (this.#progress) process.stdout.write("\n");
    this.#progress = false;
    process.stdout.write(`[${this.seconds()}] ${line}\n`);
  };

  /** A heading between parts. */
  part(title: string): void {
    this.say("");
    this.say(`== ${title} ${"=".repeat(Math.max(3, 66 - title.length))}`);
  }

  /** One line that is written again and again; where there is no terminal, a line for each quarter. */
  progress(label: string, done: number, total: number): void {
    if (total <= 0) return;
    const percent = Math.min(100, Math.floor((done / total) * 100));
    if (!this.#live) {
      const quarter = `${label} ${Math.floor(percent / 25) * 25} %`;
      if (quarter !== this.#quarter) this.say(`  ${quarter}`);
      this.#quarter = quarter;
      return;
    }
    process.stdout.write(`\r\u001b[K[${this.seconds()}] ${label.slice(0, 40).padEnd(40)} ${String(percent).padStart(3)} %`);
    this.#progress = true;
  }

  seconds(): string {
    return ((performance.now() - this.#started) / 1000).toFixed(0).padStart(5);
  }
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => (row[i] ?? "").length)));
  return [head, ...rows].map((cells) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd());
}
