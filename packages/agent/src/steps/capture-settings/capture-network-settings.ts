import { readFile } from "node:fs/promises";
import { runProgram } from "@prestage/disk";
import { captureNetworkSettingsStep, windowsSettingsQueries } from "@prestage/sequence";
import { wiredAdapters } from "../../facts/wired-adapters.ts";
import { askCim } from "../../windows/cim.ts";
import { defineStep } from "../step-executor.ts";
import { adapterVariables } from "./kept-adapter.ts";
import type { KeptAdapter } from "./kept-adapter.ts";
import { adaptersOfLinux } from "./network-of-linux.ts";
import { settingsOfWindows } from "./settings-of-windows.ts";

/** Keeps the addresses of the system that runs in the variables that apply-network-settings reads. */
export const step = defineStep(captureNetworkSettingsStep, async (run, { adapters, membership }) => {
  const { signal } = run.context;
  const windows = process.platform === "win32" ? settingsOfWindows(await askCim(windowsSettingsQueries, signal)) : undefined;
  const told: string[] = [];
  if (adapters) {
    const kept = windows?.adapters ?? (await linuxAdapters(signal));
    const variables = adapterVariables(kept);
    for (const [name, value] of variables) run.setVariable(name, value);
    run.say("OSDAdapterCount", String(Math.min(16, kept.length)));
    told.push(...kept.map(({ name, mac, dhcp, addresses }) => `${name} (${mac}): ${[...(dhcp ? ["DHCP"] : []), ...addresses.map((one) => `${one.address}/${one.prefix}`)].join(", ")}`));
  }
  if (membership && windows !== undefined) {
    run.say("OSDJoinDomainName", windows.domain);
    run.say("OSDWorkgroupName", windows.workgroup);
    told.push(windows.domain === "" ? `workgroup ${windows.workgroup}` : `domain ${windows.domain}`);
  }
  for (const line of told) run.output(line);
  return { outputTail: told.length === 0 ? "nothing was kept" : told.join("\n") };
});

async function linuxAdapters(signal: AbortSignal): Promise<KeptAdapter[]> {
  const ask = async (args: string[]): Promise<unknown> => JSON.parse((await runProgram("ip", ["-json", ...args], { signal })).output || "[]");
  const routes = await Promise.all([ask(["-4", "route", "show", "default"]), ask(["-6", "route", "show", "default"])]);
  // systemd-resolved keeps the servers it asks itself beside the file that names itself.
  const resolver = await readFile("/run/systemd/resolve/resolv.conf", "utf8").catch(() => readFile("/etc/resolv.conf", "utf8")).catch(() => "");
  return adaptersOfLinux(await wiredAdapters(), await ask(["address", "show"]), routes.flat(), resolver);
}
