import { access, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { prepareCaptureStep } from "@prestage/sequence";
import { AgentError } from "../../error.ts";
import { runCommand } from "../../run-command.ts";
import { finishInterruptedInstallation } from "../debian-packages.ts";
import { defineStep } from "../step-executor.ts";
import type { StepRun } from "../step-executor.ts";

/** What a membership of a directory consists of; sssd has it in use until it is stopped. */
const membership = ["etc/krb5.keytab", "etc/sssd/sssd.conf"];
const cached = ["var/lib/sss/db", "var/lib/sss/mc", "var/lib/sss/pubconf"];

/** Makes the running system ready to become an image; what it needs itself is left out by the capture. */
export const step = defineStep(prepareCaptureStep, async (run, { leaveDirectory }) => {
  const { dataRoot, signal } = run.context;
  await requireWholePackages(run);
  const done = [...(await leave(run, leaveDirectory)), ...(await removeDownloads(run))];
  await runProgram("sync", ["-f", dataRoot], { signal });
  return { outputTail: done.length === 0 ? "there was nothing to do" : done.join("\n") };
});

/** An image with a package half installed would never mend itself. */
async function requireWholePackages(run: StepRun): Promise<void> {
  const { dataRoot } = run.context;
  if (dataRoot === "/") await finishInterruptedInstallation(run);
  if (!(await isThere(join(dataRoot, "var/lib/dpkg/status")))) return;
  const { code, output } = await runCommand("dpkg", [`--root=${dataRoot}`, "--audit"]);
  if (code !== 0 || output !== "") throw notReady(`Expected every package to be whole; dpkg --audit says: ${output.slice(0, 600)}`, "Finish or remove the package in a step before.");
}

async function leave(run: StepRun, leaveDirectory: boolean): Promise<string[]> {
  const { dataRoot, signal } = run.context;
  const found = [];
  for (const path of membership) if (await isThere(join(dataRoot, path))) found.push(path);
  if (found.length === 0) return [];
  if (!leaveDirectory) throw notReady(`Expected a computer that belongs to no directory; found ${found.map((path) => `/${path}`).join(" and ")}.`, "Let the step have it leave the directory (leaveDirectory), or join it in the sequence that deploys the image.");
  if (dataRoot === "/" && (await isThere("/run/systemd/system"))) await runProgram("systemctl", ["disable", "--now", "sssd.service"], { accept: [0, 1, 5], signal });
  // Written by join-directory; somebody's own names servers, not a membership.
  const kerberos = (await readFile(join(dataRoot, "etc/krb5.conf"), "utf8").catch(() => "")).startsWith("# Written by the deployment.\n") ? ["etc/krb5.conf"] : [];
  for (const path of [...kerberos, ...found]) await rm(join(dataRoot, path), { force: true });
  for (const folder of cached) for (const name of await readdir(join(dataRoot, folder)).catch(() => [])) await rm(join(dataRoot, folder, name), { recursive: true, force: true });
  return [`the computer has left its directory (${found.map((path) => `/${path}`).join(", ")}); its account there stays until somebody removes it`];
}

/** Packages that were installed from them need them no more. */
async function removeDownloads({ context: { dataRoot } }: StepRun): Promise<string[]> {
  const folder = join(dataRoot, "var/cache/apt/archives");
  const debs = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".deb"));
  for (const name of debs) await rm(join(folder, name), { force: true });
  return debs.length === 0 ? [] : [`${debs.length} downloaded packages are removed`];
}

function notReady(message: string, next: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_NOT_READY_FOR_CAPTURE", message, next);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
