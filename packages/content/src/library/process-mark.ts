import { readFile } from "node:fs/promises";

/**
 * What tells a process from every other one of this computer, also from one that gets the same number later: its id, its start in
 * clock ticks after boot (proc(5), field 22), the boot's id. Fit for a file name; begins with the process's id and a hyphen.
 */
export async function processMark(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const started = status.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? "gone";
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return `${pid}-${started}-${boot.trim().replaceAll("-", "")}`;
}
