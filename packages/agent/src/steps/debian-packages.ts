import { access } from "node:fs/promises";
import { runCommand } from "../run-command.ts";
import { runShell } from "./run-shell.ts";
import type { StepRun } from "./step-executor.ts";

/** A power cut in dpkg leaves packages half configured, and the next dpkg refuses; finishing them first mends that. */
export async function finishInterruptedInstallation(run: StepRun): Promise<void> {
  if (!(await access("/usr/bin/dpkg").then(() => true, () => false))) return;
  const { exitCode } = await runShell("dpkg --configure -a --force-confold", { cwd: "/", signal: run.context.signal, onLine: run.output });
  if (exitCode !== 0) run.output(`dpkg --configure -a ended with ${exitCode}; the installation is tried all the same`);
}

/** Installed and configured, in the version asked for or a newer one. */
export async function isDebianPackageInstalled(name: string, version: string | undefined): Promise<boolean> {
  const { code, output } = await runCommand("dpkg-query", ["-W", "-f", "${db:Status-Abbrev}\t${Version}", name]);
  const [status = "", installed = ""] = output.split("\t");
  if (code !== 0 || !status.startsWith("ii")) return false;
  return version === undefined || (await runCommand("dpkg", ["--compare-versions", installed, "ge", version])).code === 0;
}
