import { closeSync, constants, openSync, writeSync } from "node:fs";
import { isatty, ReadStream, WriteStream } from "node:tty";
import type { Line, Style } from "./line.ts";

const escapes: Record<Style, string> = {
  plain: "", bold: "\u001b[1m", dim: "\u001b[37m", header: "\u001b[1;37;44m", good: "\u001b[1;32m", bad: "\u001b[1;31m", active: "\u001b[1;36m", bar: "\u001b[36m", choice: "\u001b[1;37;44m",
};
const reset = "\u001b[0m";

/** Lines a serial terminal keeps at its bottom for the machine-readable ones; they scroll there and leave the screen alone. */
const eventLines = 2;
/** A terminal that takes nothing - a serial port held by flow control - must not fill the memory. */
const longestQueue = 256 * 1024;

/**
 * One terminal. `screen`: drawn on in place, changed lines only; `serial`: the same, and event lines at the bottom;
 * `lines`: only plain lines, for a console somebody else owns.
 */
export class Terminal {
  readonly style: "screen" | "serial" | "lines";
  readonly #fd: number;
  readonly #out: WriteStream | undefined;
  readonly #in: ReadStream | undefined;
  #shown: string[] = [];
  #size = { width: 0, height: 0 };

  private constructor(style: "screen" | "serial" | "lines", fd: number, out: WriteStream | undefined, input: ReadStream | undefined) {
    this.style = style;
    this.#fd = fd;
    this.#out = out;
    this.#in = input;
  }

  /** Undefined where there is no such terminal. */
  static open(path: string, onKeys: (text: string) => void): Terminal | undefined {
    const style = path === "/dev/console" ? "lines" : path.startsWith("/dev/ttyS") ? "serial" : "screen";
    const opened: number[] = [];
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NOCTTY);
      opened.push(fd);
      if (style === "lines" || !isatty(fd)) return new Terminal("lines", fd, undefined, undefined);
      const inputFd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY);
      opened.push(inputFd);
      const out = new WriteStream(fd);
      const input = new ReadStream(inputFd);
      // A terminal that goes away is no reason to stop a deployment.
      out.on("error", () => undefined);
      input.on("error", () => undefined);
      input.setRawMode(true);
      input.setEncoding("utf8").on("data", (text: string) => onKeys(text));
      input.unref();
      return new Terminal(style, fd, out, input);
    } catch {
      for (const fd of opened) closeSync(fd);
      return undefined;
    }
  }

  /** Columns and rows to draw on. */
  get size(): { width: number; height: number } {
    let [width, height] = [0, 0];
    try {
      [width, height] = this.#out?.getWindowSize() ?? [0, 0];
    } catch {
      // A serial port does not know.
    }
    if (width < 40 || height < 15) [width, height] = [80, 25];
    // Never the last column of the last line: writing there scrolls some terminals.
    return { width: width - 1, height: this.style === "serial" ? height - eventLines : height };
  }

  draw(lines: readonly Line[]): void {
    if (this.#out === undefined || this.#out.writableLength > longestQueue) return;
    const size = this.size;
    let output = "";
    if (size.width !== this.#size.width || size.height !== this.#size.height) {
      this.#size = size;
      this.#shown = [];
      output += `\u001b[r${reset}\u001b[2J\u001b[?25l`;
      if (this.style === "serial") output += `\u001b[${size.height + 1};${size.height + eventLines}r`;
    }
    for (const [i, one] of lines.entries()) {
      const text = one.map((part) => (part.style === "plain" ? part.text : `${escapes[part.style]}${part.text}${reset}`)).join("");
      if (this.#shown[i] === text) continue;
      this.#shown[i] = text;
      output += `\u001b[${i + 1};1H${text}`;
    }
    if (output !== "") this.#out.write(output);
  }

  /** Draws everything anew next time: something else has written here. */
  forget(): void {
    this.#shown = [];
  }

  /** A line that a program reads: on a line of its own. */
  event(text: string): void {
    if (this.style === "serial") this.#out?.write(`\u001b[${this.#size.height === 0 ? 25 : this.#size.height + eventLines};1H\r\n${text}\r\n`);
    else if (this.style === "lines") this.print(text);
  }

  /** A plain line, where nothing is drawn. */
  print(text: string): void {
    if (this.style !== "lines") return;
    try {
      writeSync(this.#fd, `${text}\r\n`);
    } catch {
      // A console that takes nothing is no reason to stop a deployment.
    }
  }

  /** Leaves the terminal usable for whoever writes on it next; works while the process ends. */
  restore(): void {
    if (this.#out === undefined) return;
    try {
      this.#in?.setRawMode(false);
      writeSync(this.#fd, `\u001b[r${reset}\u001b[?25h\u001b[${this.#size.height + (this.style === "serial" ? eventLines : 0)};1H\r\n`);
    } catch {
      // It is the last thing done with it.
    }
  }
}
