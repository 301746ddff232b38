import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { WimError } from "./error.ts";

export type CaptureCompression = "none" | "xpress" | "lzx" | "lzms";

export interface ProgramOptions {
  readonly signal?: AbortSignal;
}

const methods = { none: "none", xpress: "XPRESS", lzx: "LZX:20", lzms: "LZMS" } as const;

/** Captures a folder into a new WIM of one image, compressed by wimlib-imagex, which is run, never linked. */
export async function captureFolder(folder: string, output: string, options: ProgramOptions & { name?: string; compression?: CaptureCompression; unixData?: boolean } = {}): Promise<void> {
  const unix = options.unixData === true ? ["--unix-data"] : ["--no-acls"];
  await runProgram(["capture", folder, output, options.name ?? "image", `--compress=${methods[options.compression ?? "lzx"]}`, "--norpfix", "--check", ...unix], output, options);
}

/** Exports all images of a WIM into a new one compressed in another way. */
export async function recompressWim(input: string, output: string, compression: CaptureCompression, options: ProgramOptions = {}): Promise<void> {
  await runProgram(["export", input, "all", output, `--compress=${methods[compression]}`, "--check"], output, options);
}

async function runProgram(args: string[], output: string, { signal }: ProgramOptions): Promise<void> {
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  try {
    await new Promise<void>((resolve, reject) => {
      execFile("wimlib-imagex", args, { env, maxBuffer: 2 ** 26, ...(signal && { signal }) }, (error, _, stderr) => {
        if (error === null) resolve();
        else reject(error.code === "ENOENT" ? missing(error) : new WimError("PRESTAGE_WIM_PROGRAM", `wimlib-imagex ${args[0]} failed (${String(error.code)}): ${stderr.trim().split("\n").slice(-3).join(" ")}`, { cause: error }));
      });
    });
  } catch (error) {
    await rm(output, { force: true });
    signal?.throwIfAborted();
    throw error;
  }
}

function missing(cause: Error): WimError {
  return new WimError("PRESTAGE_WIM_PROGRAM", "Compressing needs the program wimlib-imagex, which is not there. Install it (Debian: wimtools), or keep the compression as it is.", { cause });
}
