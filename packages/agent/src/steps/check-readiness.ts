import { readdir, readFile, statfs } from "node:fs/promises";
import { checkReadinessStep, compareVersions } from "@prestage/sequence";
import type { z } from "zod";
import { agentVersion } from "../agent-version.ts";
import { systemFact } from "../facts/system.ts";
import { hardwareFact } from "../facts/hardware.ts";
import { wiredInterfaces } from "../network/wired-interfaces.ts";
import { windowsFacts } from "../windows/windows-facts.ts";
import type { WindowsFacts } from "../windows/windows-facts.ts";
import { defineStep } from "./step-executor.ts";

/** The reference's code for a computer that is not ready (features.md F218). */
const notReady = 4316;

interface Check { variable: string; what: string; expected: string; found: string; holds: boolean }
type Needs = z.infer<typeof checkReadinessStep.settings>;

/** What the computer says of itself; what it says nothing of is not there. */
export interface ReadinessFacts { hardware: (name: string) => Promise<string | undefined>; /** name, version, language, architecture. */ system: (name: string) => Promise<string | undefined>; freeDiskMiB: () => Promise<number>; acPower: () => Promise<boolean>; network: () => Promise<boolean>; wiredNetwork: () => Promise<boolean> }

/** Makes every check that is asked for, logs each, and fails where one is not met. */
export const step = defineStep(checkReadinessStep, async (run, needs) => {
  const checks = await checksOf(needs, process.platform === "win32" ? await factsOfWindows(run.context.signal, run.context.dataRoot) : factsOfLinux(run.context.dataRoot));
  for (const one of checks) run.output(`${one.holds ? "met" : "NOT MET"}: ${one.what}: expected ${one.expected}, found ${one.found}`);
  for (const variable of new Set(checks.map((one) => one.variable))) run.say(variable, checks.every((one) => one.variable !== variable || one.holds) ? "1" : "0");
  const missed = checks.filter((one) => !one.holds);
  const outputTail = checks.map((one) => `${one.holds ? "met" : "NOT MET"}: ${one.what}: expected ${one.expected}, found ${one.found}`).join("\n");
  if (missed.length === 0) return { outputTail };
  const found = missed.map((one) => `${one.what} ${one.found}, needed ${one.expected}`).join("; ");
  return { exitCode: notReady, outputTail, failure: { code: "PRESTAGE_AGENT_NOT_READY", message: `Expected a computer that is ready for this sequence; found ${found}.`, next: "Use another computer, or ask less of it in the step." } };
});

/** Every check that is asked for, in the order of the documentation. */
export async function checksOf(needs: Needs, facts: ReadinessFacts): Promise<Check[]> {
  const checks: Check[] = [];
  const atLeast = async (variable: string, what: string, least: number | undefined, fact: string) => {
    if (least === undefined) return;
    const found = Number((await facts.hardware(fact)) ?? 0);
    checks.push({ variable, what, expected: `at least ${least}`, found: String(found), holds: found >= least });
  };
  const is = async (variable: string, what: string, expected: boolean | string | undefined, found: () => Promise<boolean | string>) => {
    if (expected === undefined) return;
    const value = await found();
    checks.push({ variable, what, expected: String(expected), found: String(value), holds: value === expected });
  };
  await atLeast("_TS_CRMEMORY", "memory in MiB", needs.memoryMiB, "memoryMiB");
  await atLeast("_TS_CRSPEED", "processor speed in MHz", needs.processorMHz, "processorMHz");
  await atLeast("_TS_CRDISK", "disk in MiB", needs.diskMiB, "diskMiB");
  if (needs.freeDiskMiB !== undefined) {
    const free = await facts.freeDiskMiB();
    checks.push({ variable: "_TS_CRDISK", what: "free space in MiB", expected: `at least ${needs.freeDiskMiB}`, found: String(free), holds: free >= needs.freeDiskMiB });
  }
  const system = async (name: string) => (await facts.system(name)) ?? "none";
  await is("_TS_CROSTYPE", "operating system", needs.operatingSystem?.toLowerCase(), async () => (await system("name")).toLowerCase());
  const version = needs.osVersionAtLeast === undefined && needs.osVersionAtMost === undefined ? "" : await system("version");
  const known = version !== "none";
  if (needs.osVersionAtLeast !== undefined) checks.push({ variable: "_TS_CRMINOSVER", what: "version of the operating system", expected: `at least ${needs.osVersionAtLeast}`, found: version, holds: known && compareVersions(version, needs.osVersionAtLeast) >= 0 });
  // 12 takes in 12.8: what it does not say is not compared.
  const parts = needs.osVersionAtMost?.split(".").length ?? 0;
  if (needs.osVersionAtMost !== undefined) checks.push({ variable: "_TS_CRMAXOSVER", what: "version of the operating system", expected: `at most ${needs.osVersionAtMost}`, found: version, holds: known && compareVersions(version.split(".").slice(0, parts).join("."), needs.osVersionAtMost) <= 0 });
  await is("_TS_CROSLANGUAGE", "language", needs.language?.replace("_", "-").toLowerCase(), async () => (await system("language")).replace("_", "-").toLowerCase());
  if (needs.agentVersion !== undefined) checks.push({ variable: "_TS_CRCLIENTMINVER", what: "version of the agent", expected: `at least ${needs.agentVersion}`, found: agentVersion, holds: compareVersions(agentVersion, needs.agentVersion) >= 0 });
  await is("_TS_CRARCH", "architecture", needs.architecture, () => system("architecture"));
  await is("_TS_CRUEFI", "UEFI", needs.uefi, async () => (await facts.hardware("firmware")) === "uefi");
  await is("_TS_CRUEFI", "Secure Boot", needs.secureBoot, async () => (await facts.hardware("secureBoot")) === "Enabled");
  await is("_TS_CRTPMENABLED", "TPM 2.0", needs.tpm, async () => (await facts.hardware("tpm")) === "2");
  await is("_TS_CRACPOWER", "AC power", needs.acPower, facts.acPower);
  await is("_TS_CRNETWORK", "a network with a link", needs.network, facts.network);
  await is("_TS_CRWIRED", "a wired network with a link", needs.wiredNetwork, facts.wiredNetwork);
  return checks;
}

function factsOfLinux(root: string): ReadinessFacts {
  return {
    hardware: hardwareFact, system: (name) => systemFact(root, name), freeDiskMiB: () => freeMiB(root), acPower: onAcPower,
    network: async () => (await linked(await readdir("/sys/class/net"))).length > 0, wiredNetwork: async () => (await linked(await wiredInterfaces())).length > 0,
  };
}

/** Asked at once: PowerShell takes seconds to start. */
async function factsOfWindows(signal: AbortSignal, root: string): Promise<ReadinessFacts> {
  return readinessOfWindows(await windowsFacts(signal), () => freeMiB(root));
}

/** From what Windows said. Node.js itself knows the memory. */
export function readinessOfWindows({ hardware, system, acPower, network, wiredNetwork }: WindowsFacts, freeDiskMiB: () => Promise<number>): ReadinessFacts {
  return { hardware: async (name) => (name === "memoryMiB" ? hardwareFact(name) : hardware[name]), system: async (name) => system[name], freeDiskMiB, acPower: async () => acPower, network: async () => network, wiredNetwork: async () => wiredNetwork };
}

async function freeMiB(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return Math.floor((bavail * bsize) / 2 ** 20);
}

/** A supply of the kind Mains that is online; a computer without any battery runs from the mains. */
async function onAcPower(): Promise<boolean> {
  const folder = "/sys/class/power_supply";
  const supplies = await readdir(folder).catch(() => []);
  const read = async (name: string, file: string) => (await readFile(`${folder}/${name}/${file}`, "utf8").catch(() => "")).trim();
  const kinds = await Promise.all(supplies.map(async (name) => ({ type: await read(name, "type"), online: await read(name, "online"), scope: await read(name, "scope") })));
  const mains = kinds.filter((one) => one.type === "Mains" || one.type === "USB");
  if (mains.length > 0) return mains.some((one) => one.online === "1");
  // The battery of a mouse is not the computer's.
  return !kinds.some((one) => one.type === "Battery" && one.scope !== "Device");
}

async function linked(names: readonly string[]): Promise<string[]> {
  const states = await Promise.all(names.map(async (name) => ({ name, carrier: (await readFile(`/sys/class/net/${name}/carrier`, "utf8").catch(() => "")).trim() })));
  return states.filter((one) => one.name !== "lo" && one.carrier === "1").map((one) => one.name);
}
