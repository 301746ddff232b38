import { isIPv4 } from "node:net";
import { adapterSettings, readNetworkSystem, runProgram, writeSettings } from "@prestage/disk";
import type { NetworkAdapter } from "@prestage/disk";
import { applyNetworkSettingsStep, networkAnswers, variableValue } from "@prestage/sequence";
import type { Variables } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { wiredAdapters } from "../facts/wired-adapters.ts";
import type { WiredAdapter } from "../facts/wired-adapters.ts";
import { hasWindows, writeAnswers } from "../windows/write-answers.ts";
import { defineStep } from "./step-executor.ts";
import type { StepRun } from "./step-executor.ts";

type GivenAdapter = Omit<NetworkAdapter, "match" | "dhcp"> & { mac?: string | undefined; name?: string | undefined; dhcp?: boolean | undefined };

/** Writes the network settings of the applied system, adapter by adapter. */
export const step = defineStep(applyNetworkSettingsStep, async (run, { adapters, searchDomains }) => {
  const { dataRoot, signal } = run.context;
  const given = adapters ?? adaptersOfVariables(run.variables());
  if (given.length === 0) throw invalid("adapters in the step or in OSDAdapterCount and its variables; found none");
  const chosen = chooseAdapters(given, await wiredAdapters());
  const all = chosen.map((one) => ({ ...one, searchDomains: [...new Set([...one.searchDomains, ...searchDomains])] }));
  const manager = (await hasWindows(dataRoot)) ? await writeForWindows(run, all) : await writeForLinux(dataRoot, all);
  await runProgram("sync", ["-f", dataRoot], { signal });
  const lines = chosen.map(({ match, dhcp, addresses }) => `${"mac" in match ? match.mac : match.name}: ${[...(dhcp ? ["DHCP"] : []), ...addresses].join(", ")}`);
  for (const line of lines) run.output(line);
  return { outputTail: `${lines.join("\n")}\nfor ${manager}` };
});

async function writeForLinux(dataRoot: string, adapters: readonly NetworkAdapter[]): Promise<string> {
  const system = await readNetworkSystem(dataRoot);
  await writeSettings(dataRoot, adapterSettings([...adapters], system));
  return system.manager;
}

async function writeForWindows(run: StepRun, adapters: readonly NetworkAdapter[]): Promise<string> {
  await writeAnswers(run, networkAnswers(adapters.map((one) => ({ ...one, identifier: "mac" in one.match ? one.match.mac : one.match.name }))));
  return "Windows Setup";
}

/** The adapters as the array variables say them (features.md F225). */
export function adaptersOfVariables(variables: Variables): GivenAdapter[] {
  const count = Number(variableValue(variables, "OSDAdapterCount") ?? 0);
  if (!Number.isInteger(count) || count < 0 || count > 16) throw invalid(`OSDAdapterCount from 0 to 16; found ${JSON.stringify(variableValue(variables, "OSDAdapterCount"))}`);
  return Array.from({ length: count }, (_, i) => {
    const text = (name: string) => variableValue(variables, `OSDAdapter${i}${name}`);
    const list = (name: string) => (text(name) ?? "").split(",").map((one) => one.trim()).filter((one) => one !== "");
    const hosts = list("IPAddressList");
    const masks = list("SubnetMask");
    if (hosts.length !== masks.length) throw invalid(`as many masks in OSDAdapter${i}SubnetMask as addresses in OSDAdapter${i}IPAddressList; found ${masks.length} and ${hosts.length}`);
    const dhcp = text("EnableDHCP");
    return {
      mac: text("MACAddress"), name: text("MACAddress") === undefined ? text("Name") : undefined, dhcp: dhcp === undefined ? undefined : /^(true|1|yes)$/i.test(dhcp),
      addresses: hosts.map((host, n) => `${host}/${prefixOf(masks[n] ?? "")}`), gateways: list("Gateways"), dnsServers: list("DNSServerList"), searchDomains: list("DNSSuffix"),
    };
  });
}

/** 255.255.255.0 is 24; IPv6 addresses have their prefix length here. */
function prefixOf(mask: string): number {
  if (/^\d{1,3}$/.test(mask)) return Number(mask);
  const bits = isIPv4(mask) ? mask.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("") : "";
  if (!/^1+0*$/.test(bits)) throw invalid(`a subnet mask such as 255.255.255.0; found ${JSON.stringify(mask)}`);
  return bits.indexOf("0") === -1 ? 32 : bits.indexOf("0");
}

/** Entries without address and name take the wired adapters that are left, in the kernel's order, by their address: names differ between systems. */
export function chooseAdapters(given: readonly GivenAdapter[], present: readonly WiredAdapter[]): NetworkAdapter[] {
  const macOf = (mac: string) => mac.replaceAll("-", ":").toLowerCase();
  const named = new Set(given.flatMap((one) => (one.mac === undefined ? (one.name ?? []) : macOf(one.mac))));
  const left = present.filter((one) => !named.has(one.mac) && !named.has(one.name));
  return given.map(({ mac, name, dhcp, ...rest }) => {
    const next = mac ?? (name === undefined ? left.shift()?.mac : undefined);
    if (next === undefined && name === undefined) throw invalid(`a wired adapter for each entry without mac and name; found ${present.map((one) => one.name).join(", ") || "none"}`);
    const match = next === undefined ? { name: name ?? "" } : { mac: macOf(next) };
    return { ...rest, match, dhcp: dhcp ?? rest.addresses.length === 0 };
  });
}

function invalid(what: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected ${what}.`, "Correct the step in the task sequence, or its variables.");
}
