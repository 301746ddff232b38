import { spawn } from "node:child_process";
import { constants } from "node:os";
import { nothingToRedact } from "../run/redact.ts";
import type { StepResult, StepRun } from "./step-executor.ts";

export interface ShellOptions {
  cwd: string;
  signal: AbortSignal;
  timeoutSeconds?: number | undefined;
  /** Secrets for this process alone, and what takes them out of its output. */
  secrets?: StepRun["secrets"];
  /** `error`: it was printed as a message, not as output. */
  onLine: (line: string, error: boolean) => void;
  environment?: Readonly<Record<string, string>>;
  /** A folder of programs looked through before the system's. */
  programs?: string;
  /** This program instead of a shell; `command` is then only its name in messages. */
  program?: Program;
}
/** `verbatim`: on Windows the arguments stand in the command line as they are. */
export interface Program { file: string; arguments: readonly string[]; verbatim: boolean }
export interface ShellResult { exitCode: number; outputTail: string; timedOut: boolean }

const tailLength = 4000;
const patienceMs = 5000;
/** How long the output of a command that has ended is still waited for: a service it started may hold the pipe for ever. */
const drainMs = 1000;
const commandPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What runs a command line that a person wrote. On Windows `/s` takes the outer quotation marks off, and leaves the rest to cmd.exe as it was written. */
export function shellOf(platform: NodeJS.Platform, command: string): Program {
  return platform === "win32" ? { file: "cmd.exe", arguments: ["/d", "/s", "/c", `"${command}"`], verbatim: true } : { file: "sh", arguments: ["-c", command], verbatim: false };
}

/** What a program finds in its environment: on Linux nothing of the agent's own; on Windows what the system gives its services. */
function baseEnvironment(programs: string | undefined): NodeJS.ProcessEnv {
  if (process.platform === "win32") return programs === undefined ? process.env : withPrograms(process.env, programs);
  return { PATH: programs === undefined ? commandPath : `${programs}:${commandPath}`, LC_ALL: "C", HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };
}

/** Windows knows its variables whatever the case of their names: a second PATH beside its Path would be one too many. */
export function withPrograms(environment: NodeJS.ProcessEnv, programs: string): NodeJS.ProcessEnv {
  const name = Object.keys(environment).find((one) => one.toLowerCase() === "path") ?? "Path";
  return { ...environment, [name]: [programs, environment[name] ?? ""].filter((one) => one !== "").join(";") };
}

/**
 * Runs a command line by `sh -c`, on Windows by `cmd.exe /c`, to its end, in a process group of its own that is ended as a whole when time is over or the run is stopped.
 * Throws only when stopped; 127 when there is no shell.
 */
export async function runShell(command: string, options: ShellOptions): Promise<ShellResult> {
  const { cwd, signal, timeoutSeconds, onLine } = options;
  const redact = options.secrets?.redact ?? nothingToRedact;
  signal.throwIfAborted();
  const { file, arguments: given, verbatim } = options.program ?? shellOf(process.platform, command);
  const child = spawn(file, given, { cwd, detached: process.platform !== "win32", windowsHide: true, windowsVerbatimArguments: verbatim, stdio: ["ignore", "pipe", "pipe"], env: { ...baseEnvironment(options.programs), ...options.environment, ...options.secrets?.environment } });
  let tail = "";
  const partials = ["", ""];
  // By line, and redacted before it is cut: half a secret at the beginning of the tail would be one too many.
  const keep = (line: string, error: boolean) => {
    tail = `${tail}${redact(line)}\n`.slice(-tailLength - 1);
    onLine(line, error);
  };
  for (const [i, stream] of [child.stdout, child.stderr].entries()) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      const lines = redact((partials[i] ?? "") + text).slice(-100_000).split(/\r?\n|\r/);
      partials[i] = lines.pop() ?? "";
      for (const line of lines) keep(line, i === 1);
    });
    stream.on("error", () => undefined);
  }
  let timedOut = false;
  let force: NodeJS.Timeout | undefined;
  const end = () => {
    killGroup(child.pid, "SIGTERM");
    force ??= setTimeout(() => killGroup(child.pid, "SIGKILL"), patienceMs);
  };
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => {
    timedOut = true;
    end();
  }, timeoutSeconds * 1000);
  signal.addEventListener("abort", end, { once: true });
  try {
    const { promise, resolve } = Promise.withResolvers<number>();
    const closed = Promise.withResolvers<void>();
    child.on("error", (cause) => {
      tail += cause.message;
      resolve(127);
      closed.resolve();
    });
    child.on("exit", (code, signalName) => resolve(code ?? 128 + (signalName === null ? 0 : constants.signals[signalName])));
    child.on("close", () => closed.resolve());
    const exitCode = await promise;
    const drained = setTimeout(() => closed.resolve(), drainMs);
    await closed.promise;
    clearTimeout(drained);
    child.stdout.destroy();
    child.stderr.destroy();
    for (const [i, partial] of partials.entries()) if (partial !== "") keep(partial, i === 1);
    signal.throwIfAborted();
    return { exitCode, outputTail: tail.trim(), timedOut };
  } finally {
    clearTimeout(timer);
    clearTimeout(force);
    signal.removeEventListener("abort", end);
  }
}

/** A command's result as a step's: a success code, a restart code, or a failure that says what was expected. */
export function shellStepResult(result: ShellResult, what: string, successCodes: readonly number[], restartCodes: readonly number[] = []): StepResult & { restartAsked: boolean } {
  const { exitCode, outputTail, timedOut } = result;
  const common = { exitCode, ...(outputTail !== "" && { outputTail }) };
  if (timedOut) return { ...common, restartAsked: false, failure: { code: "PRESTAGE_AGENT_STEP_FAILED", message: `Expected ${what} to end in time; it did not and was ended.`, next: "Raise timeoutSeconds, or see why it takes so long." } };
  if (restartCodes.includes(exitCode)) return { ...common, restartAsked: true };
  if (exitCode === 0 || successCodes.includes(exitCode)) return { ...common, restartAsked: false };
  const last = outputTail.split("\n").at(-1)?.trim() ?? "";
  return { ...common, restartAsked: false, failure: { code: "PRESTAGE_AGENT_STEP_FAILED", message: `Expected ${what} to end with ${[...new Set([0, ...successCodes])].join(" or ")}; it ended with ${exitCode}${last === "" ? "" : `: ${last}`}.`, next: "See the step's output at the site, or /prestage/log/agent.log on this computer." } };
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    // Windows knows no process groups; taskkill ends a process and all it started.
    if (process.platform === "win32") return void spawn("taskkill.exe", ["/pid", String(pid), "/t", "/f"], { stdio: "ignore", windowsHide: true }).on("error", () => undefined);
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
