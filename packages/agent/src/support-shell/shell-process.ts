import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { processesOfSession, signalSession } from "./session.ts";

/** How long a shell that is asked to end may take. */
const patienceMs = 1500;

/** A shell on a terminal that is its own: leader of a session, so that Ctrl-C and job control work there. */
export interface ShellProcess {
  /** Resolves when nothing of its session runs any more. */
  readonly ended: Promise<void>;
  /** Ends it and everything it started, but what left its session. */
  end(): void;
  /** The same at once; for a process that is about to end itself. */
  endNow(): void;
}

/** Fixed: nothing of the agent's own environment. */
export function shellEnvironment(path: string): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TERM: path.startsWith("/dev/ttyS") ? "vt220" : "linux", HOME: "/root", PS1: "support# ", LANG: "C.UTF-8" };
}

/** Starts a root shell on a terminal. @throws an error of the system where there is no such terminal or program */
export async function startShell(path: string): Promise<ShellProcess> {
  const terminal = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  // Not `detached`: the leader of a session could not make one, and setsid would have to leave it to another process.
  const child = spawn("setsid", ["-c", "sh", "-i"], { cwd: "/", env: shellEnvironment(path), stdio: [terminal, terminal, terminal] });
  closeSync(terminal);
  const started = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<void>();
  child.on("spawn", () => started.resolve());
  child.on("error", (cause) => started.reject(cause));
  child.on("exit", () => exited.resolve());
  await started.promise;
  const session = child.pid;
  if (session === undefined) throw new Error("the shell has no process id");
  let force: NodeJS.Timeout | undefined;
  const ended = exited.promise.then(async () => {
    clearTimeout(force);
    await endJobs(session);
  });
  return {
    ended,
    end() {
      signalSession(session, "SIGHUP");
      signalSession(session, "SIGCONT");
      force ??= setTimeout(() => signalSession(session, "SIGKILL"), patienceMs);
    },
    endNow: () => signalSession(session, "SIGKILL"),
  };
}

/** Jobs left in the background: until none is there any more, since one may start another while it is ended; a hundred times at most. */
async function endJobs(session: number): Promise<void> {
  for (let left = 100; left > 0 && processesOfSession(session).length > 0; left--) {
    signalSession(session, "SIGKILL");
    await delay(20);
  }
}
