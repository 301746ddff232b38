import { spawn } from "node:child_process";

export interface CommandResult { code: number; output: string }

/** Runs a program of the system to its end and returns its exit code and the last 8,000 characters it printed; never throws for a code. */
export async function runCommand(program: string, args: readonly string[], signal?: AbortSignal): Promise<CommandResult> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
    windowsHide: true,
    // On Windows what the system gives its services: without SystemRoot hardly a program starts.
    env: process.platform === "win32" ? process.env : { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    ...(signal && { signal }),
  });
  let output = "";
  const keep = (text: string) => (output = (output + text).slice(-8000));
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  return new Promise((resolve) => {
    child.on("error", (cause) => resolve({ code: 127, output: cause.message }));
    child.on("close", (code) => resolve({ code: code ?? 128, output: output.trim() }));
  });
}
