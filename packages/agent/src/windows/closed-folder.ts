import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { powerShellText } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";

/** By their numbers: the names of accounts differ with Windows' language. */
const system = "*S-1-5-18:(OI)(CI)F";
const administrators = "*S-1-5-32-544:(OI)(CI)F";
/** Owned by one of the two, inheriting nothing, and open to nobody else (security descriptor definition language: FA, all rights on files; OICI, for what is made in it, too). */
const closed = /^O:(BA|SY)G:[A-Z0-9-]+D:P(AI|AR)*(\(A;OICI;FA;;;(SY|BA)\)){1,2}$/;

type Run = (program: string, given: readonly string[]) => Promise<{ code: number; output: string }>;

/**
 * Makes a folder that SYSTEM and Administrators alone may enter, and what of the way to it is missing: on a Windows every user may make folders on the drive, and change
 * those others made there. One that is there already and is not closed may be anybody's: it is refused, never taken over.
 * @throws AgentError PRESTAGE_AGENT_STATE_DAMAGED
 */
export async function makeClosedFolder(path: string, run: Run = runCommand): Promise<void> {
  const missing: string[] = [];
  for (let at = path; !(await stat(at).then(() => true, () => false)) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    await mkdir(folder); // not recursive: one that somebody makes in between is none of ours
    await ask(run, "icacls.exe", [folder, "/setowner", "*S-1-5-32-544", "/q"]);
    await ask(run, "icacls.exe", [folder, "/inheritance:r", "/grant:r", system, administrators, "/q"]);
  }
  const found = (await ask(run, "powershell.exe", ["-NoProfile", "-NonInteractive", "-Command", `(Get-Acl -LiteralPath ${powerShellText(path)}).Sddl`])).trim();
  if (closed.test(found)) return;
  throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", `Expected ${path} to be a folder of SYSTEM and Administrators alone; found ${found.slice(0, 200) || "no rights"}. Somebody else may have made it, or what is in it.`, "Look at what is in it, then move it away or remove it, and run the command again.");
}

async function ask(run: Run, program: string, given: readonly string[]): Promise<string> {
  const { code, output } = await run(program, given);
  if (code !== 0) throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", `Expected ${program} to close the folder ${given[0] ?? ""} to others; it ended with ${code}: ${output.slice(-300)}`, "Run the command as an administrator.");
  return output;
}
