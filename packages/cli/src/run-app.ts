import { run } from "@stricli/core";
import type { Application, StricliProcess } from "@stricli/core";
import type { Context } from "./context.ts";

/** Runs the command line this process was started with, and ends the process with its exit code. */
export async function runApp(app: Application<Context>): Promise<never> {
  // `prestage ... | head`: who reads has enough. 141 is what a shell calls a program that SIGPIPE ended.
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") process.exit(141);
    throw cause;
  });
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
  }
  await run(app, process.argv.slice(2), { process: process as StricliProcess, forCommand: (): Context => ({ process, signal: interrupted.signal }) });
  // A command line that was not understood: 2, as programs do; the parser's own codes are negative.
  if (Number(process.exitCode ?? 0) < 0) process.exitCode = 2;
  // A pipe holds 64 KiB; what is more waits for who reads.
  for (const stream of [process.stdout, process.stderr]) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  // Connections kept alive must not keep a finished command waiting.
  process.exit();
}
