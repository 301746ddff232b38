import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { DiskError } from "./error.ts";

export interface RunOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  input?: string;
  /** Exit codes that are no failure; [0] by default. */
  accept?: readonly number[];
  /** Called with each line of standard output, progress lines that end in a carriage return too. */
  onLine?: (line: string) => void;
  signal?: AbortSignal | undefined;
}

export interface RunResult {
  output: string;
  /** The end of its error output. */
  errorOutput: string;
  exitCode: number;
}

const longestOutput = 16 << 20;

/** Runs a program without a shell. An exit code that is not accepted is an error naming the end of its error output. */
export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const child = spawn(program, args, { cwd: options.cwd ?? "/", env: { ...process.env, LC_ALL: "C", ...options.env }, stdio: ["pipe", "pipe", "pipe"], signal: options.signal });
  let output = "";
  let partial = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-longestOutput);
    const lines = (partial + text).split(/[\r\n]/);
    partial = lines.pop() ?? "";
    for (const line of lines) if (line !== "") options.onLine?.(line);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-8000)));
  child.stdin.on("error", () => undefined); // the program may end before it has read everything
  child.stdin.end(options.input ?? "");
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.on("error", (cause: NodeJS.ErrnoException) => {
    if (options.signal?.aborted === true) whenGone(child, () => reject(cause));
    else reject(new DiskError("PRESTAGE_DISK_PROGRAM_FAILED", cause.code === "ENOENT" ? `The program ${program} is not installed. Install the Debian package that holds it and try again.` : `${program} could not be started: ${cause.message}`, { cause }));
  });
  child.on("close", (code, signal) => resolve(code ?? signal ?? "no exit code"));
  const exitCode = await promise;
  options.signal?.throwIfAborted();
  if (typeof exitCode !== "number" || !(options.accept ?? [0]).includes(exitCode)) {
    throw new DiskError("PRESTAGE_DISK_PROGRAM_FAILED", `${program} ${args.join(" ").slice(0, 300)} ended with ${exitCode}. It said: ${(errors.trim() || output.trim()).slice(-2000) || "nothing"}`);
  }
  return { output, errorOutput: errors, exitCode };
}

const patienceMs = 5000;

/** What a program was stopped in may be unmounted or deleted next: it must not be at it any more. */
function whenGone(child: ChildProcess, then: () => void): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return then();
  const force = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  child.once("exit", () => {
    clearTimeout(force);
    then();
  });
}
