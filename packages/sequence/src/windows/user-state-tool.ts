import type { WindowsCommand } from "./windows-plan.ts";

interface Common { store: string; rules: readonly string[]; continueOnErrors: boolean }

/** USMT_WOULD_HAVE_FAILED: an error was passed over because of /c (USMT return codes). */
const passedOver = 3;

/** ScanState into a folder; what an earlier run left there is overwritten (User State Migration Tool: ScanState syntax). */
export function scanUserState(tool: string, { store, rules, users = [], continueOnErrors, shadowCopy }: Common & { users?: readonly string[] | undefined; shadowCopy: boolean }): WindowsCommand {
  // Users are chosen by leaving all out and naming some.
  const chosen = users.length === 0 ? [] : ["/ue:*\\*", ...users.map((user) => `/ui:${user.includes("\\") ? user : `*\\${user}`}`)];
  return command(tool, "scanstate.exe", "capturing users' files", { store, rules, continueOnErrors }, ["/o", "/efs:copyraw", ...(shadowCopy ? ["/vsc"] : []), ...chosen]);
}

/** LoadState from that folder. */
export function loadUserState(tool: string, { createUsers, ...common }: Common & { createUsers: boolean }): WindowsCommand {
  return command(tool, "loadstate.exe", "restoring users' files", common, createUsers ? ["/lac"] : []);
}

function command(tool: string, program: string, what: string, { store, rules, continueOnErrors }: Common, own: readonly string[]): WindowsCommand {
  const folder = `${tool}\\amd64`;
  return {
    what, program: `${folder}\\${program}`,
    arguments: [store, ...own, ...(continueOnErrors ? ["/c"] : []), ...rules.map((rule) => `/i:${folder}\\${rule}`), "/v:5", `/l:${store}\\${program.replace(".exe", ".log")}`],
    ...(continueOnErrors && { successCodes: [passedOver] }),
  };
}
