import { spawn } from "node:child_process";

export interface ProgramOptions { cwd?: string; /** Added to this process's own; undefined takes a variable away. */ env?: Record<string, string | undefined>; input?: string; /** Each line of standard error. */ onLine?: (line: string) => void; signal?: AbortSignal | undefined }

/** Runs a program to its end and returns its standard output; anything but exit code 0 is an error that shows what it said last. */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"], ...(options.signal && { signal: options.signal }) });
  child.stdin?.end(options.input);
  let output = "";
  let errors = "";
  let partial = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-8000);
    const lines = (partial + text).split(/[\r\n]/);
    partial = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") options.onLine?.(line);
  });
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exit, signal) => resolve(exit ?? signal ?? "no exit code"));
  });
  if (code !== 0) throw new Error(`Expected \`${program} ${args.slice(0, 6).join(" ")}\` to succeed; it ended with ${code}:\n${errors.trim() || output.trim()}`);
  return output;
}
