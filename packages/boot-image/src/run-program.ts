import { spawn } from "node:child_process";
import { BootImageError } from "./error.ts";

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Called with each line the program writes to its error output. */
  onLine?: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** What of a program's output is kept, in bytes: beyond it only the end is. */
const keptErrorOutput = 16 * 1024;

/** Runs a program without a shell and returns its standard output; anything but exit code 0 is an error naming the end of its error output. */
export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: "C", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    signal: options.signal,
  });
  const out: Buffer[] = [];
  let errorOutput = "";
  child.stdout.on("data", (data: Buffer) => out.push(data));
  child.stderr.setEncoding("utf8");
  let partial = "";
  child.stderr.on("data", (data: string) => {
    errorOutput = (errorOutput + data).slice(-keptErrorOutput);
    const lines = (partial + data).split(/[\r\n]+/);
    partial = lines.pop() ?? "";
    for (const line of lines) options.onLine?.(line);
  });
  child.stdin.on("error", () => undefined); // the program may end before it has read everything
  child.stdin.end(options.input ?? "");
  const { promise, resolve, reject } = Promise.withResolvers<number | NodeJS.Signals | null>();
  child.on("error", reject);
  child.on("close", (code, signal) => resolve(code ?? signal));
  const outcome = await promise.catch((cause: NodeJS.ErrnoException) => {
    if (options.signal?.aborted === true) throw cause;
    const what = cause.code === "ENOENT" ? `is not installed` : `could not be started: ${cause.message}`;
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED", `The program ${program} ${what}. Install the Debian package that holds it and try again.`, { cause });
  });
  if (outcome !== 0) {
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED", `${program} ${args.join(" ").slice(0, 300)} ended with ${outcome} instead of 0. It said: ${errorOutput.trim().slice(-2000) || "nothing"}`);
  }
  return Buffer.concat(out).toString("utf8");
}
