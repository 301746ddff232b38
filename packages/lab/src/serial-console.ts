import { LabError } from "./error.ts";
import type { SerialLog } from "./serial-log.ts";

export interface CommandResult {
  command: string;
  output: string;
  exitCode: number;
}

/** A shell on a machine's serial console, reached as a user would. */
export class SerialConsole {
  readonly #serial: SerialLog;
  readonly #silenceMs: number;
  #number = 0;

  private constructor(serial: SerialLog, silenceMs: number) {
    this.#serial = serial;
    this.#silenceMs = silenceMs;
  }

  /** Waits for the login prompt and logs in. */
  static async login(serial: SerialLog, user: string, password: string, options: { timeoutMs?: number; since?: number; signal?: AbortSignal } = {}): Promise<SerialConsole> {
    const silenceMs = options.timeoutMs ?? 240_000;
    const wait = { timeoutMs: silenceMs, signal: options.signal };
    await serial.waitFor(/login: ?$/, { ...wait, since: options.since ?? 0 });
    let mark = serial.mark();
    serial.write(`${user}\n`);
    await serial.waitFor(/Password: ?$/i, { ...wait, since: mark });
    mark = serial.mark();
    serial.write(`${password}\n`);
    const answer = await serial.waitFor(/(Login incorrect|[$#] ?$)/, { ...wait, since: mark });
    if (answer[1] === "Login incorrect") throw new LabError("PRESTAGE_LAB_LOGIN_FAILED", `The login of ${user} on the serial console was refused. Check the account the deployment makes.`);
    const console = new SerialConsole(serial, silenceMs);
    // A shell without line editing, prompt and echo: what comes back is the command's output alone.
    serial.write("exec env PS1= PS2= TERM=dumb /bin/sh\n");
    serial.write("stty -echo -onlcr cols 200; PS1=; PS2=\n");
    await console.run("true");
    return console;
  }

  /** Runs a command and returns what it wrote, both outputs together. */
  async run(command: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<CommandResult> {
    this.#number += 1;
    const end = `end-${this.#number}`;
    const mark = this.#serial.mark();
    // The marks are put together by printf, so that an echo of this line is not taken for them.
    this.#serial.write(`printf '\\n@@%s\\n' begin-${this.#number}; {\n${command}\n} 2>&1 </dev/null; printf '\\n@@%s %s\\n' ${end} $?\n`);
    const match = await this.#serial.waitFor(new RegExp(`@@begin-${this.#number}\\n([^]*?)\\n?@@${end} (\\d+)\\n`), { timeoutMs: options.timeoutMs ?? this.#silenceMs, since: mark, signal: options.signal });
    return { command, output: (match[1] ?? "").replace(/\n$/, ""), exitCode: Number(match[2]) };
  }
}
