import { windowsFactQueries } from "@prestage/sequence";
import { askCim } from "./cim.ts";
import type { CimInstance } from "./cim.ts";
import { registryValue } from "./registry.ts";

export interface WindowsFacts { hardware: Readonly<Record<string, string | undefined>>; system: Readonly<Record<string, string | undefined>>; gateways: string[]; acPower: boolean; /** A network adapter of the computer's own has a link; a wired one has. */ network: boolean; wiredNetwork: boolean }

/** BatteryStatus where the computer does not run from it: mains, fully charged, charging in four ways (Win32_Battery). */
const onMains = new Set(["2", "3", "6", "7", "8", "9"]);
/** MediaConnectState: connected. NdisPhysicalMedium: 802.3 (MSFT_NetAdapter). */
const [connected, ethernet] = ["1", "14"];

/** Everything Windows says of computer and system, in one question: PowerShell takes seconds to start. */
export async function windowsFacts(signal: AbortSignal): Promise<WindowsFacts> {
  const answers = await askCim(windowsFactQueries, signal);
  const control = String.raw`HKLM\SYSTEM\CurrentControlSet\Control`;
  // 1 BIOS, 2 UEFI; the other key is there with UEFI alone.
  const firmware = await registryValue(control, "PEFirmwareType", signal);
  const secureBoot = await windowsSecureBoot(signal);
  const facts = factsOf(answers);
  return { ...facts, hardware: { ...facts.hardware, firmware: firmware === "2" ? "uefi" : firmware === "1" ? "bios" : undefined, secureBoot } };
}

/** NA, Enabled or Disabled, without asking PowerShell. */
export async function windowsSecureBoot(signal: AbortSignal = new AbortController().signal): Promise<string> {
  const value = await registryValue(String.raw`HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State`, "UEFISecureBootEnabled", signal);
  return value === undefined ? "NA" : value === "1" ? "Enabled" : "Disabled";
}

/** From the answers to `windowsFactQueries`, in their order. */
export function factsOf(answers: readonly (readonly CimInstance[])[]): WindowsFacts {
  const [product, enclosure, computer, tpm, , processor, system] = answers.map((instances) => instances[0]);
  const [disks = [], adapters = [], batteries = [], cards = []] = [answers[4], answers[7], answers[8], answers[9]];
  const linked = cards.filter((one) => text(one, "HardwareInterface") === "true" && text(one, "MediaConnectState") === connected);
  const sizes = disks.filter((one) => /^fixed/i.test(text(one, "MediaType") ?? "")).map((one) => Number(text(one, "Size") ?? 0));
  return {
    hardware: {
      manufacturer: text(product, "Vendor"), model: text(product, "Name"), version: text(product, "Version"), serialNumber: text(product, "IdentifyingNumber"), uuid: text(product, "UUID")?.toLowerCase(),
      assetTag: text(enclosure, "SMBIOSAssetTag"), chassis: first(enclosure, "ChassisTypes"), sku: text(computer, "SystemSKUNumber"), virtual: text(computer, "HypervisorPresent")?.toLowerCase(),
      tpm: /^\d+/.exec(text(tpm, "SpecVersion") ?? "")?.[0], processorMHz: text(processor, "MaxClockSpeed"), diskMiB: sizes.length === 0 ? undefined : String(Math.floor(Math.max(...sizes) / 2 ** 20)),
    },
    system: { name: system === undefined ? undefined : "Windows", version: text(system, "Version"), language: first(system, "MUILanguages"), architecture: /64/.test(text(system, "OSArchitecture") ?? "") ? (/arm/i.test(text(system, "OSArchitecture") ?? "") ? "arm64" : "x64") : undefined },
    gateways: [...new Set(adapters.flatMap((one) => (Array.isArray(one["DefaultIPGateway"]) ? one["DefaultIPGateway"] : [])).map(String))],
    acPower: batteries.length === 0 || batteries.some((one) => onMains.has(text(one, "BatteryStatus") ?? "")),
    network: linked.length > 0, wiredNetwork: linked.some((one) => text(one, "NdisPhysicalMedium") === ethernet),
  };
}

function text(instance: CimInstance | undefined, property: string): string | undefined {
  const value = instance?.[property];
  const found = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value).trim() : "";
  return found === "" ? undefined : found;
}

function first(instance: CimInstance | undefined, property: string): string | undefined {
  const value = instance?.[property];
  return text({ value: Array.isArray(value) ? value[0] : value }, "value");
}
