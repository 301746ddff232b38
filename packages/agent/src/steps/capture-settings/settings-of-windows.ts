import type { CimInstance } from "../../windows/cim.ts";
import type { KeptAdapter } from "./kept-adapter.ts";

export interface WindowsSettings { adapters: KeptAdapter[]; computerName: string; domain: string; workgroup: string; owner: string; organization: string; language: string }

/** From the answers to `windowsSettingsQueries`, in their order. */
export function settingsOfWindows(answers: readonly (readonly CimInstance[])[]): WindowsSettings {
  const [configurations = [], cards = []] = answers;
  const [computer, system] = [answers[2]?.[0], answers[3]?.[0]];
  const inDomain = computer?.["PartOfDomain"] === true;
  return {
    adapters: configurations.flatMap((one) => {
      const mac = text(one, "MACAddress").toLowerCase();
      const card = cards.find((found) => text(found, "PermanentAddress").replace(/[:-]/g, "").toLowerCase() === mac.replaceAll(":", ""));
      // 14: 802.3. What is no card of the computer's own, such as a virtual switch, is none of the next system's.
      if (card?.["HardwareInterface"] !== true || card["NdisPhysicalMedium"] !== 14) return [];
      const dhcp = one["DHCPEnabled"] === true;
      const [hosts, masks] = [list(one, "IPAddress"), list(one, "IPSubnet")];
      const addresses = dhcp ? [] : hosts.flatMap((address, i) => (/^fe80:/i.test(address) ? [] : [{ address, prefix: prefixOf(masks[i] ?? "") }]));
      const given = addresses.length === 0 ? [] : list(one, "DefaultIPGateway").filter((address) => !/^fe80:/i.test(address));
      return [{ mac, name: text(card, "Name"), dhcp: dhcp || addresses.length === 0, addresses, gateways: given, dnsServers: addresses.length === 0 ? [] : list(one, "DNSServerSearchOrder"), searchDomains: addresses.length === 0 || text(one, "DNSDomain") === "" ? [] : [text(one, "DNSDomain")] }];
    }),
    computerName: text(computer, "Name"), domain: inDomain ? text(computer, "Domain") : "", workgroup: inDomain ? "" : text(computer, "Workgroup"),
    owner: text(system, "RegisteredUser"), organization: text(system, "Organization"), language: list(system, "MUILanguages")[0] ?? "",
  };
}

/** A mask, or of IPv6 the length as it is. */
function prefixOf(mask: string): number {
  if (!mask.includes(".")) return Number(mask) || 0;
  return mask.split(".").reduce((bits, part) => bits + (Number(part).toString(2).match(/1/g)?.length ?? 0), 0);
}

function text(instance: CimInstance | undefined, property: string): string {
  const value = instance?.[property];
  return typeof value === "string" ? value.trim() : "";
}

function list(instance: CimInstance | undefined, property: string): string[] {
  const value = instance?.[property];
  return (Array.isArray(value) ? value : typeof value === "string" ? [value] : []).map(String).filter((one) => one !== "");
}
