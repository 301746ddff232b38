import { basename } from "node:path";
import type { LendableTerminal, OverlayHost, Tool } from "../screens/overlay.ts";
import type { Screen } from "../screens/screen.ts";
import type { Text } from "../screens/texts/en.ts";
import type { NewStatusMessage, StatusSpool } from "../status/status-spool.ts";
import { startShell } from "./shell-process.ts";
import type { ShellProcess } from "./shell-process.ts";

/** Why there is no shell now. */
export type ShellRefusal = "not-verified" | "not-allowed" | "not-enrolled" | "ending" | "no-terminal";

const refusals: Record<ShellRefusal, Text> = {
  "not-verified": (texts) => texts.shellNotVerified,
  "not-allowed": (texts) => texts.shellNotAllowed,
  "not-enrolled": (texts) => texts.shellNotEnrolled,
  ending: (texts) => texts.shellEnding,
  "no-terminal": (texts) => texts.shellNoTerminal,
};

/** One whose process hangs in the kernel must not hold a restart up. */
const longestEndMs = 6000;

export interface SupportShellOptions {
  screen: Pick<Screen, "event"> & { setHeader(header: { shells: string | undefined }): void; inLanguage(text: Text): string };
  log: (line: string) => void;
  start?: (path: string) => Promise<ShellProcess>;
}

/**
 * The support shell on F8: only where the verified manifest allows it, only once the site has let this computer in, and only on the
 * terminal the key was pressed on. It is reported when it opens and when it closes, and holds nothing up: whatever leaves this
 * environment ends it.
 */
export class SupportShell {
  readonly #options: SupportShellOptions;
  /** By the terminal's path; a shell that starts has no process yet. */
  readonly #open = new Map<string, { process?: ShellProcess; ended: Promise<void> }>();
  #closed = false;
  #refusal: ShellRefusal | undefined = "not-verified";
  #status: Pick<StatusSpool, "post"> | undefined;

  constructor(options: SupportShellOptions) {
    this.#options = options;
  }

  /** To be called with the manifest once its signature is verified. */
  verified(manifest: { supportShell?: true | undefined }): void {
    if (this.#refusal === "not-verified") this.#refusal = manifest.supportShell === true ? "not-enrolled" : "not-allowed";
  }

  /** To be called once the site has let this computer in; reports go to `status`. */
  enrolled(status: Pick<StatusSpool, "post">): void {
    if (this.#closed || this.#refusal !== "not-enrolled") return;
    this.#refusal = undefined;
    this.#status = status;
    this.#showOpen();
  }

  /** Ends every shell, and opens none from now on; resolves when they have ended and are reported, or a process no signal ends was waited for in vain. */
  async close(why: "ending" | "not-enrolled" = "ending"): Promise<void> {
    this.#closed = true;
    this.#refusal ??= why;
    const open = [...this.#open.values()];
    for (const { process } of open) process?.end();
    const { promise: waited, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), longestEndMs);
    void Promise.all(open.map((one) => one.ended)).then(() => resolve(true));
    if (!(await waited)) this.#options.log("a support shell does not end; it is not waited for");
    clearTimeout(timer);
  }

  /** The agent's own process ends: no shell may outlive it. */
  endNow(): void {
    for (const one of this.#open.values()) one.process?.endNow();
  }

  /** Whether somebody has one. */
  get open(): boolean {
    return this.#open.size > 0;
  }

  tool(): Tool {
    return {
      number: 8,
      label: (texts) => texts.keyShell,
      hidden: () => this.#refusal !== undefined,
      press: (host) => {
        const { terminal } = host;
        const refusal = this.#refusal ?? (terminal === undefined ? "no-terminal" : undefined);
        if (refusal !== undefined || terminal === undefined) {
          this.#options.screen.event("shell-refused", { reason: refusal, ...(terminal && { terminal: basename(terminal.path) }) });
          host.say(refusals[refusal ?? "no-terminal"]);
        } else if (!this.#open.has(terminal.path)) this.#open.set(terminal.path, { ended: this.#run(terminal, host) });
      },
    };
  }

  /** From the key to the terminal drawn on again; never rejects. */
  async #run(terminal: LendableTerminal, host: OverlayHost): Promise<void> {
    const { screen, log, start = startShell } = this.#options;
    const name = basename(terminal.path);
    terminal.lend(screen.inLanguage((texts) => texts.shellWelcome));
    try {
      const process = await start(terminal.path);
      const started = performance.now();
      const entry = this.#open.get(terminal.path);
      if (entry !== undefined) entry.process = process;
      log(`support shell opened on ${name}`);
      this.#report({ kind: "support-shell-opened", text: name });
      this.#showOpen();
      screen.event("shell-open", { terminal: name });
      if (this.#closed) process.end(); // while it started
      await process.ended;
      const by = this.#closed ? "agent" : "exit";
      await this.#takeBack(terminal);
      log(`support shell on ${name} closed by ${by}`);
      this.#report({ kind: "support-shell-closed", seconds: (performance.now() - started) / 1000, text: by === "exit" ? name : `${name}, ended by the agent` });
      screen.event("shell-closed", { terminal: name, by });
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      log(`support shell on ${name}: ${detail}`);
      await this.#takeBack(terminal);
      host.say((texts) => texts.shellFailed(detail));
    }
  }

  async #takeBack(terminal: LendableTerminal): Promise<void> {
    if (!(await terminal.takeBack())) this.#options.log(`the terminal ${terminal.path} is gone`);
    this.#open.delete(terminal.path);
    this.#showOpen();
  }

  /** The disk may be gone while somebody looks why. */
  #report(message: NewStatusMessage): void {
    try {
      this.#status?.post(message);
    } catch (cause) {
      this.#options.log(`the support shell is not reported: ${String(cause)}`);
    }
  }

  /** Every other terminal says so. */
  #showOpen(): void {
    const shells = [...this.#open.keys()].map((path) => basename(path)).join(", ");
    this.#options.screen.setHeader({ shells: shells === "" ? undefined : shells });
  }
}
