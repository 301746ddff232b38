import { networkInterfaces } from "node:os";
import { readFile } from "node:fs/promises";
import { ruleFits, setDynamicVariablesStep, variableValue } from "@prestage/sequence";
import { hardwareFact } from "../facts/hardware.ts";
import { windowsFacts } from "../windows/windows-facts.ts";
import { defineStep } from "./step-executor.ts";

/** Finds out what the computer is and where, and sets variables by the rules that fit. */
export const step = defineStep(setDynamicVariablesStep, async (run, { rules }) => {
  const text = async (name: string) => (await hardwareFact(name)) ?? "";
  const found = {
    make: await text("manufacturer"), model: await text("model"), serialNumber: await text("serialNumber"), assetTag: await text("assetTag"), uuid: (await text("uuid")).toUpperCase(),
    macAddresses: (await text("macAddresses")).split(",").filter((one) => one !== ""), ipAddresses: ipAddresses(), gateways: process.platform === "win32" ? (await windowsFacts(run.context.signal)).gateways : gatewaysOf(await readFile("/proc/net/route", "utf8").catch(() => "")),
  };
  const said: [string, string][] = [
    ["_SMSTSMake", found.make], ["_SMSTSModel", found.model], ["_SMSTSSerialNumber", found.serialNumber], ["_SMSTSAssetTag", found.assetTag], ["_SMSTSUUID", found.uuid],
    ["_SMSTSMacAddresses", found.macAddresses.join(",")], ["_SMSTSIPAddresses", found.ipAddresses.join(",")], ["_SMSTSDefaultGateways", found.gateways.join(",")],
  ];
  for (const [name, value] of said) run.say(name, value);
  let fitted = 0;
  for (const rule of rules) {
    if (ruleFits(rule, found, (name) => variableValue(run.variables(), name) ?? "") !== true) continue;
    fitted++;
    for (const [name, value] of Object.entries(rule.set)) run.setVariable(name, value);
  }
  return { outputTail: `${said.map(([name, value]) => `${name}=${value}`).join("\n")}\n${fitted} of ${rules.length} rules fitted` };
});

function ipAddresses(): string[] {
  return Object.values(networkInterfaces()).flat().filter((one) => one !== undefined && !one.internal && !one.address.startsWith("fe80:")).map((one) => one?.address ?? "").toSorted();
}

/** Gateways of the default routes of /proc/net/route: addresses in hexadecimal, in the byte order of the processor (little-endian). */
export function gatewaysOf(table: string): string[] {
  const found = table.split("\n").slice(1).map((line) => line.split("\t")).filter((fields) => fields[1] === "00000000" && fields[7] === "00000000" && /^[0-9A-F]{8}$/.test(fields[2] ?? ""));
  return [...new Set(found.map((fields) => Buffer.from(fields[2] ?? "", "hex").reverse().join(".")))].filter((gateway) => gateway !== "0.0.0.0");
}
