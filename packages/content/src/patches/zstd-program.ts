import { spawn } from "node:child_process";
import { ContentError } from "../error.ts";

/** 1 to 19: 9 is quick, 19 half the bytes for twenty times the work. */
export const patchLevels = { least: 1, most: 19, usual: 19 } as const;

/**
 * Runs `zstd --patch-from`: it searches the old bytes as a prefix, which Node's own zstd does not. At the lowest priority, on one core.
 * @throws ContentError PRESTAGE_CONTENT_ZSTD
 */
export async function makeZstdPatch(from: string, to: string, output: string, options: { level: number; signal?: AbortSignal | undefined }): Promise<void> {
  // --long=28: a window of 256 MiB, twice the longest piece; the reader allows no more.
  const child = spawn("nice", ["-n", "19", "zstd", "--quiet", "--force", "--no-check", "--single-thread", "--long=28", `-${options.level}`, `--patch-from=${from}`, to, "-o", output], {
    stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C.UTF-8" }, ...(options.signal && { signal: options.signal }),
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on("error", (cause) => reject(cause.name === "AbortError" ? cause : missing(cause.message, cause)));
    child.on("close", (exit, signal) => resolve(exit ?? signal ?? "no exit code"));
  });
  options.signal?.throwIfAborted();
  if (code === 127) throw missing(errors.trim());
  if (code !== 0) throw new ContentError("PRESTAGE_CONTENT_ZSTD", `Expected zstd to make a patch; it ended with ${code}: ${errors.trim() || "no message"}`);
}

function missing(found: string, cause?: unknown): ContentError {
  return new ContentError("PRESTAGE_CONTENT_ZSTD", `Expected to run zstd; found: ${found}. Install the package zstd, or serve without patches (--no-patches).`, { cause });
}
