import { readdirSync, readFileSync } from "node:fs";

/** The processes of a session, by the id of its leader, as /proc has them now. */
export function processesOfSession(session: number): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => sessionOf(pid) === session);
}

function sessionOf(pid: number): number | undefined {
  try {
    // proc(5): PID (NAME) STATE PPID PGRP SESSION; a name may hold blanks and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)\s*/s, "").split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[3]);
  } catch {
    return undefined; // it has ended since
  }
}

/** Sends a signal to a session's leader and everything in its session. */
export function signalSession(session: number, signal: NodeJS.Signals): void {
  for (const pid of new Set([session, ...processesOfSession(session)])) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended already.
    }
  }
}
