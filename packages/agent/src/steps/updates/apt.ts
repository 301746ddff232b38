import { access } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { AgentError } from "../../error.ts";
import { runCommand } from "../../run-command.ts";
import { filesBelow } from "../../windows/files-below.ts";
import { finishInterruptedInstallation } from "../debian-packages.ts";
import { runShell, shellStepResult } from "../run-shell.ts";
import type { StepResult, StepRun } from "../step-executor.ts";
import type { UpdateResult, UpdateSettings } from "./update-result.ts";

/** Settings somebody has changed stay; nobody is asked. */
const common = ["-y", "-q", "--no-remove", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
/** Another service of the system may be at it: wait for it (apt.conf: DPkg::Lock::Timeout, seconds). */
const lockTimeout = ["-o", "DPkg::Lock::Timeout=600"];

const readAtOnce = 8;

/** Updates a Debian or one of its kind. Nothing is removed: an update that would is left for a person. */
export async function installByApt(run: StepRun, settings: UpdateSettings, folder: string | undefined): Promise<UpdateResult> {
  const { dataRoot } = run.context;
  if (dataRoot === "/") await finishInterruptedInstallation(run);
  const wanted = folder === undefined ? await fromRepositories(run, settings) : await fromFolder(run, folder);
  if ("failed" in wanted) return { result: wanted.failed, restartWanted: false };
  if (wanted.arguments.length === 0) return { result: { outputTail: "nothing is to be updated" }, restartWanted: false };
  const result = await withoutBootVolume(run, () => apt(run, [...common, ...wanted.arguments], "the installation of updates", settings.timeoutSeconds));
  const restartWanted = await access(join(dataRoot, "var/run/reboot-required")).then(() => true, () => false);
  return { result, restartWanted };
}

/** Units of the installed system's fstab entry for the EFI system partition. */
const bootVolume = ["boot-efi.automount", "boot-efi.mount"] as const;

/**
 * While a deployment lasts, what is on the EFI system partition starts the boot environment, which verifies it. Updates of shim and GRUB would put their own
 * there, and do not where it is not mounted (their postinst scripts look for /boot/efi/EFI/debian); the next update does.
 */
async function withoutBootVolume<T>({ context, output }: StepRun, use: () => Promise<T>): Promise<T> {
  const [automount] = bootVolume;
  if (context.dataRoot !== "/" || (await runCommand("systemctl", ["is-active", "--quiet", automount])).code !== 0) return use();
  const { code, output: said } = await runCommand("systemctl", ["stop", ...bootVolume]);
  if (code !== 0) output(`/boot/efi stays mounted: ${said}`);
  try {
    return await use();
  } finally {
    const started = await runCommand("systemctl", ["start", automount]);
    if (started.code !== 0) output(`/boot/efi could not be mounted again: ${started.output}`);
  }
}

type Wanted = { arguments: string[] } | { failed: StepResult };

/** What apt-get is asked for, once it knows what the repositories have now. */
async function fromRepositories(run: StepRun, { updates, names, scanTimeoutSeconds }: UpdateSettings): Promise<Wanted> {
  const answer = await apt(run, ["-q", "update", "--error-on=any"], "the repositories to answer", scanTimeoutSeconds);
  if (answer.failure !== undefined) return { failed: answer };
  if (names !== undefined) return { arguments: ["--only-upgrade", "install", ...names] };
  if (updates === "all") return { arguments: ["--with-new-pkgs", "upgrade"] };
  const { output } = await runProgram("apt-get", [...place(run), "-s", "-q", "--no-remove", "--with-new-pkgs", "upgrade"], { signal: run.context.signal });
  const found = securityUpdates(output);
  run.output(found.length === 0 ? "no update of security is there" : `updates of security: ${found.join(", ")}`);
  return { arguments: found.length === 0 ? [] : ["--only-upgrade", "install", ...found] };
}

/**
 * The installed packages whose candidate comes from a security archive: `Inst NAME [INSTALLED] (VERSION LABEL:VERSION/ARCHIVE [ARCH])` of a simulation.
 * What an update needs besides comes with it.
 */
export function securityUpdates(simulation: string): string[] {
  return [...simulation.matchAll(/^Inst (\S+) \[[^\]]*\] \((\S+) ([^)]*)\)/gm)].filter(([, , , origin = ""]) => /-security\b/i.test(origin)).map(([, name = ""]) => name);
}

/** One .deb: what it is, and what it needs by name. */
interface Deb { path: string; name: string; version: string; needs: string[] }

/** Those of a folder that update something installed, with what in the folder they need besides. */
async function fromFolder(run: StepRun, folder: string): Promise<Wanted> {
  const paths = (await filesBelow(folder)).filter((path) => path.endsWith(".deb"));
  const debs: Deb[] = [];
  // A few programs at a time, not one for each of thousands of files.
  for (let at = 0; at < paths.length; at += readAtOnce) debs.push(...(await Promise.all(paths.slice(at, at + readAtOnce).map((path) => readDeb(run, path)))));
  if (debs.length === 0) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected files .deb in the package of updates; found none.", "Import a package for this system.");
  const { output } = await runProgram("dpkg-query", [`--admindir=${join(run.context.dataRoot, "var/lib/dpkg")}`, "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\n"], { accept: [0, 1], signal: run.context.signal });
  const installed = installedPackages(output);
  const chosen = new Map<string, Deb>();
  for (const deb of debs) {
    const there = installed.get(deb.name);
    if (there === undefined || !(there.broken ? !(await isNewer(there.version, deb.version)) : await isNewer(deb.version, there.version))) continue;
    const former = chosen.get(deb.name);
    if (former === undefined || (await isNewer(deb.version, former.version))) chosen.set(deb.name, deb);
  }
  for (const { needs } of chosen.values()) {
    // What is added here is met by this loop, too.
    for (const name of needs) {
      const deb = installed.has(name) || chosen.has(name) ? undefined : debs.find((one) => one.name === name);
      if (deb !== undefined) chosen.set(name, deb);
    }
  }
  run.output(chosen.size === 0 ? `none of ${debs.length} packages is newer than what is installed` : `to update: ${[...chosen.values()].map(({ name, version }) => `${name} ${version}`).join(", ")}`);
  return { arguments: chosen.size === 0 ? [] : ["-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null", "install", ...[...chosen.values()].map(({ path }) => path)] };
}

/** What dpkg says of a package that is there; `broken`: a cut has left half of it, which `dpkg --configure -a` does not mend and only its installation does. */
interface Installed { version: string; broken: boolean }

/** Of `STATUS\tNAME\tVERSION` lines (dpkg-query(1), db:Status-Abbrev; dpkg(1), package states and flags). */
export function installedPackages(lines: string): Map<string, Installed> {
  const packages = lines.split("\n").map((line) => line.split("\t")).filter(([status = ""]) => /^[ih][HUFWti]/.test(status));
  return new Map(packages.map(([status = "", name = "", version = ""]) => [name, { version, broken: status[1] === "H" || status[2] === "R" }]));
}

async function readDeb({ context }: StepRun, path: string): Promise<Deb> {
  const { output } = await runProgram("dpkg-deb", ["-f", path, "Package", "Version", "Depends", "Pre-Depends"], { signal: context.signal });
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(output)?.[1]?.trim() ?? "";
  const needs = `${field("Depends")},${field("Pre-Depends")}`.split(/[,|]/).map((one) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(one)?.[1]).filter((name) => name !== undefined);
  return { path, name: field("Package"), version: field("Version"), needs };
}

async function isNewer(version: string, than: string): Promise<boolean> {
  return (await runProgram("dpkg", ["--compare-versions", version, "gt", than], { accept: [0, 1] })).exitCode === 0;
}

async function apt(run: StepRun, given: readonly string[], what: string, timeoutSeconds: number | undefined): Promise<StepResult> {
  const result = await runShell("apt-get", { cwd: "/", signal: run.context.signal, timeoutSeconds, onLine: run.output, program: { file: "apt-get", arguments: [...place(run), ...lockTimeout, ...given], verbatim: false } });
  const { restartAsked: _, ...outcome } = shellStepResult(result, what, [0]);
  return outcome;
}

/** A system in a folder: its lists, its settings, its dpkg. */
function place({ context: { dataRoot } }: StepRun): string[] {
  if (dataRoot === "/") return [];
  const settings = { Dir: dataRoot, "Dir::State::status": join(dataRoot, "var/lib/dpkg/status"), "Dir::Log": join(dataRoot, "var/log/apt"), "Dpkg::Options::": `--root=${dataRoot}` };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}
