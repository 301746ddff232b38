import { spawn } from "node:child_process";
import { ContentError } from "../error.ts";

export interface WimlibProgress { phase: string; percent: number }
export interface WimlibOptions { signal?: AbortSignal; onProgress?: (event: WimlibProgress) => void }

/**
 * Runs `wimlib-imagex` as a program (never linked: a libwim that writes NTFS is GPL-3). Its exit code decides.
 * Progress comes on stdout, updates separated by `\r`.
 * @throws ContentError PRESTAGE_CONTENT_WIMLIB
 */
export async function runWimlib(args: readonly string[], options: WimlibOptions = {}): Promise<void> {
  const child = spawn("wimlib-imagex", args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    ...(options.signal && { signal: options.signal }),
  });
  let rest = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split(/[\r\n]/);
    rest = (lines.pop() ?? "").slice(-1000);
    const last = lines.map((line) => /^(.+?): .*\((\d+)%\) (?:done|written)/.exec(line)).findLast((match) => match !== null);
    if (last) options.onProgress?.({ phase: last[1] ?? "", percent: Number(last[2]) });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.name === "AbortError") reject(cause);
      else reject(new ContentError("PRESTAGE_CONTENT_WIMLIB", `Expected to run wimlib-imagex; found: ${cause.message}. Install the package wimtools.`, { cause }));
    });
    child.on("close", (exit, signal) => resolve(exit ?? signal ?? "no exit code"));
  });
  options.signal?.throwIfAborted();
  if (code !== 0) throw new ContentError("PRESTAGE_CONTENT_WIMLIB", `Expected wimlib-imagex ${args[0] ?? ""} to succeed; it ended with ${code}: ${errors.trim() || "no message"}`);
}
