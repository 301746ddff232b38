import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** Seconds of several runs. */
export interface Measured { name: string; seconds: number[] }

/** Runs a program that must succeed, its output thrown away; returns the seconds it took. */
export async function timeProgram(program: string, args: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, LC_ALL: "C.UTF-8" } });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2000)));
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (code !== 0) throw new Error(`Expected ${program} ${args[0] ?? ""} to succeed; it ended with ${String(code)}: ${errors}`);
  return (performance.now() - start) / 1000;
}

/** What a program that must succeed prints. */
export async function runProgram(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 2 ** 26, env: { ...process.env, LC_ALL: "C.UTF-8" } });
  return stdout;
}

/** The most memory a program that must succeed held at once, in MiB, by Debian's `time`. */
export async function memoryOf(folder: string, command: readonly string[]): Promise<number> {
  const note = join(folder, "time");
  await promisify(execFile)("/usr/bin/time", ["-o", note, "-f", "%M", ...command], { maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: "C.UTF-8", NODE_NO_WARNINGS: "1" } });
  return Number((await readFile(note, "utf8")).trim()) / 1024;
}

export async function timeWork(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** One line: min / median / max in seconds, and MB/s at the median. */
export function line({ name, seconds }: Measured, bytes: number): string {
  const [min, middle, max] = [Math.min(...seconds), median(seconds), Math.max(...seconds)].map((value) => value.toFixed(2).padStart(7));
  return `  ${name.padEnd(58)}${min} ${middle} ${max} s  ${(bytes / 1e6 / median(seconds)).toFixed(0).padStart(6)} MB/s  (${seconds.length} run${seconds.length > 1 ? "s" : ""})`;
}
