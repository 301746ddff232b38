import { runCommand } from "../../run-command.ts";
import type { UpdateSettings } from "./update-result.ts";

type Wanted = Pick<UpdateSettings, "updates" | "names">;

/** dnf(8): upgrade, --security, --refresh; local files are named by their paths, and no repository is asked. */
export function dnfCommand({ updates, names }: Wanted, packages: readonly string[] | undefined): string {
  if (packages?.length === 0) return "true";
  if (packages !== undefined) return ["dnf", "-y", "'--disablerepo=*'", "upgrade", ...packages.map(quoted)].join(" ");
  return ["dnf", "-y", "upgrade", ...(updates === "security" ? ["--security"] : []), ...(names ?? []).map(quoted)].join(" ");
}

/** What reads the repositories anew, by itself, so that its time is its own. */
export const dnfRefresh = "dnf -y makecache --refresh";

/** zypper(8): refresh, update, patch --category; local files are named by their paths. */
export function zypperCommands({ updates, names }: Wanted, packages: readonly string[] | undefined): string[] {
  const zypper = "zypper --non-interactive";
  if (packages !== undefined) return packages.length === 0 ? [] : [`${zypper} --no-refresh install ${packages.map(quoted).join(" ")}`];
  if (names !== undefined) return [`${zypper} refresh`, `${zypper} update ${names.map(quoted).join(" ")}`];
  return [`${zypper} refresh`, updates === "security" ? `${zypper} patch --category security` : `${zypper} update`];
}

/** needs-restarting(1), of dnf-utils: 1 where the computer should be restarted. */
export async function restartWantedByDnf(): Promise<boolean> {
  return (await runCommand("needs-restarting", ["-r"])).code === 1;
}

/** zypper(8), needs-rebooting: 102 where it should. */
export async function restartWantedByZypper(): Promise<boolean> {
  return (await runCommand("zypper", ["needs-rebooting"])).code === 102;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
