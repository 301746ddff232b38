import { closeSync, constants, openSync, writeSync } from "node:fs";
import { isatty, ReadStream, WriteStream } from "node:tty";
import { runCommand } from "../run-command.ts";
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
  readonly path: string;
  readonly style: "screen" | "serial" | "lines";
  readonly #onKeys: (text: string, terminal: Terminal) => void;
  #opened: OpenedTerminal;
  #lent = false;
  #shown: string[] = [];
  #size = { width: 0, height: 0 };

  private constructor(path: string, style: Terminal["style"], opened: OpenedTerminal, onKeys: (text: string, terminal: Terminal) => void) {
    this.path = path;
    this.#onKeys = onKeys;
    this.#opened = opened;
    this.style = opened.out === undefined ? "lines" : style;
    this.#read();
  }

  /** Undefined where there is no such terminal. */
  static open(path: string, onKeys: (text: string, terminal: Terminal) => void): Terminal | undefined {
    const style = path === "/dev/console" ? "lines" : path.startsWith("/dev/ttyS") ? "serial" : "screen";
    const opened = openTerminal(path, style !== "lines");
    return opened && new Terminal(path, style, opened, onKeys);
  }

  /** Itself, but where it is a console somebody else owns. */
  get lendable(): Terminal | undefined {
    return this.style === "lines" ? undefined : this;
  }
  get lent(): boolean {
    return this.#lent;
  }

  /**
   * Leaves the terminal empty and as a program expects it, and lets go of it: when the leader of a session ends, the kernel hangs up
   * whatever was open on its terminal. The greeting is the first line there.
   */
  lend(greeting: string): void {
    const { out, input, fd } = this.#opened;
    if (out === undefined || this.#lent) return;
    this.#lent = true;
    try {
      input?.setRawMode(false);
      writeSync(fd, `\u001b[r${reset}\u001b[2J\u001b[H\u001b[?25h${greeting}\r\n`);
    } catch {
      // Who opens it next finds out.
    }
    input?.destroy();
    out.destroy();
    this.#opened = { fd: -1 };
  }

  /** Ours again, drawn anew next time; false where it is gone. */
  async takeBack(): Promise<boolean> {
    if (!this.#lent) return true;
    await runCommand("stty", ["-F", this.path, "sane"], AbortSignal.timeout(2000)); // whatever state a program was ended in; a port held by flow control is not waited for
    this.#opened = openTerminal(this.path, true) ?? this.#opened;
    this.#lent = false;
    this.#shown = [];
    this.#size = { width: 0, height: 0 };
    this.#read();
    return this.#opened.out !== undefined;
  }

  #read(): void {
    this.#opened.input?.setEncoding("utf8").on("data", (text: string) => this.#onKeys(text, this));
  }

  /** Columns and rows to draw on. */
  get size(): { width: number; height: number } {
    let [width, height] = [0, 0];
    try {
      [width, height] = this.#opened.out?.getWindowSize() ?? [0, 0];
    } catch {
      // A serial port does not know.
    }
    if (width < 40 || height < 15) [width, height] = [80, 25];
    // Never the last column of the last line: writing there scrolls some terminals.
    return { width: width - 1, height: this.style === "serial" ? height - eventLines : height };
  }

  draw(lines: readonly Line[]): void {
    const { out } = this.#opened;
    if (out === undefined || out.writableLength > longestQueue) return;
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
    if (output !== "") out.write(output);
  }

  /** Draws everything anew next time: something else has written here. */
  forget(): void {
    this.#shown = [];
  }

  /** A line that a program reads: on a line of its own. */
  event(text: string): void {
    if (this.style === "serial" && this.#lent) writeOnce(this.path, `\r\n${text}\r\n`);
    else if (this.style === "serial") this.#opened.out?.write(`\u001b[${this.#size.height === 0 ? 25 : this.#size.height + eventLines};1H\r\n${text}\r\n`);
    else if (this.style === "lines") this.print(text);
  }

  /** A plain line, where nothing is drawn. */
  print(text: string): void {
    if (this.style !== "lines") return;
    try {
      writeSync(this.#opened.fd, `${text}\r\n`);
    } catch {
      // A console that takes nothing is no reason to stop a deployment.
    }
  }

  /** Leaves the terminal usable for whoever writes on it next; works while the process ends. */
  restore(): void {
    const { out, input, fd } = this.#opened;
    if (out === undefined) return;
    try {
      input?.setRawMode(false);
      writeSync(fd, `\u001b[r${reset}\u001b[?25h\u001b[${this.#size.height + (this.style === "serial" ? eventLines : 0)};1H\r\n`);
    } catch {
      // It is the last thing done with it.
    }
  }
}

interface OpenedTerminal { fd: number; out?: WriteStream; input?: ReadStream }

/** Undefined where there is no such terminal; without streams where it is none to draw on. */
function openTerminal(path: string, drawn: boolean): OpenedTerminal | undefined {
  const opened: number[] = [];
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOCTTY);
    opened.push(fd);
    if (!drawn || !isatty(fd)) return { fd };
    const inputFd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY);
    opened.push(inputFd);
    const out = new WriteStream(fd);
    const input = new ReadStream(inputFd);
    // A terminal that goes away is no reason to stop a deployment.
    out.on("error", () => undefined);
    input.on("error", () => undefined);
    input.setRawMode(true);
    input.unref();
    return { fd, out, input };
  } catch {
    for (const fd of opened) closeSync(fd);
    return undefined;
  }
}

/** Beside whatever a program writes there; lost where the terminal takes nothing now. */
function writeOnce(path: string, text: string): void {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The terminal may be gone, or held.
  }
}
