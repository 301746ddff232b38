import { isIPv4 } from "node:net";
import { z } from "zod";
import type { Text } from "../screens/texts/en.ts";

/** How this computer gets on the network; every field is as it is typed, and empty where nothing was. */
export const networkSettingsSchema = z.strictObject({
  /** A wired interface's name; empty: each of them by DHCP, the first one for a static address. */
  interface: z.string().max(15),
  /** IPv4 address and prefix; empty: by DHCP. */
  address: z.string().max(18),
  gateway: z.string().max(15),
  /** IPv4 addresses, with blanks or commas between. */
  dns: z.string().max(64),
  proxy: z.string().max(256),
  vlan: z.string().max(4),
});
export type NetworkSettings = z.infer<typeof networkSettingsSchema>;
export type NetworkField = keyof NetworkSettings;
export const networkFields = ["interface", "address", "gateway", "dns", "proxy", "vlan"] as const satisfies readonly NetworkField[];

export const byDhcp: NetworkSettings = { interface: "", address: "", gateway: "", dns: "", proxy: "", vlan: "" };

/** What is wrong with settings, and in which field; undefined where they can be applied. */
export function checkNetworkSettings(settings: NetworkSettings, interfaces: readonly string[]): { field: NetworkField; text: Text } | undefined {
  const { address, gateway, proxy, vlan } = settings;
  if (settings.interface !== "" && !interfaces.includes(settings.interface)) return { field: "interface", text: (texts) => `${texts.networkNoInterface} ${interfaces.join(", ")}` };
  const network = parseAddress(address);
  if (address !== "" && network === undefined) return { field: "address", text: (texts) => texts.networkBadAddress };
  if (gateway !== "" && !isIPv4(gateway)) return { field: "gateway", text: (texts) => texts.networkBadGateway };
  if (gateway !== "" && (network === undefined || !sameNetwork(gateway, network))) return { field: "gateway", text: (texts) => texts.networkGatewayOutside };
  const servers = nameServers(settings);
  if (servers.length > 3 || !servers.every((server) => isIPv4(server))) return { field: "dns", text: (texts) => texts.networkBadDns };
  if (proxy !== "" && !isProxy(proxy)) return { field: "proxy", text: (texts) => texts.networkBadProxy };
  if (vlan !== "" && !(/^\d{1,4}$/.test(vlan) && Number(vlan) >= 1 && Number(vlan) <= 4094)) return { field: "vlan", text: (texts) => texts.networkBadVlan };
  return undefined;
}

export function nameServers(settings: Pick<NetworkSettings, "dns">): string[] {
  return settings.dns.split(/[\s,;]+/).filter((server) => server !== "");
}

/**
 * The settings a media's variables ask for: `PrestageNetworkInterface`, `...Address`, `...Gateway`, `...Dns`, `...Proxy`, `...Vlan`;
 * the reference's `OSDAdapter0IPAddressList`, `...SubnetMask`, `...Gateways` and `...DNSServerList` where those are not set.
 */
export function settingsOfVariables(variables: readonly { name: string; value: string }[]): NetworkSettings {
  const value = (name: string) => variables.find((variable) => variable.name.toUpperCase() === name.toUpperCase())?.value.trim() ?? "";
  const first = (list: string) => list.split(",")[0]?.trim() ?? "";
  const address = first(value("OSDAdapter0IPAddressList"));
  const prefix = prefixOf(first(value("OSDAdapter0SubnetMask")));
  return {
    interface: value("PrestageNetworkInterface"),
    address: value("PrestageNetworkAddress") || (address === "" ? "" : `${address}/${prefix ?? ""}`),
    gateway: value("PrestageNetworkGateway") || first(value("OSDAdapter0Gateways")),
    dns: value("PrestageNetworkDns") || value("OSDAdapter0DNSServerList"),
    proxy: value("PrestageNetworkProxy"),
    vlan: value("PrestageNetworkVlan"),
  };
}

function parseAddress(text: string): { bits: number; prefix: number } | undefined {
  const [address = "", prefix = "", more] = text.split("/");
  if (more !== undefined || !isIPv4(address) || !/^\d{1,2}$/.test(prefix) || Number(prefix) < 1 || Number(prefix) > 32) return undefined;
  return { bits: bitsOf(address), prefix: Number(prefix) };
}

function sameNetwork(gateway: string, { bits, prefix }: { bits: number; prefix: number }): boolean {
  return prefix === 32 || (bits ^ bitsOf(gateway)) >>> (32 - prefix) === 0;
}

function bitsOf(address: string): number {
  return address.split(".").reduce((bits, part) => (bits << 8) | Number(part), 0);
}

/** The prefix of a mask such as 255.255.255.0; undefined where it is no mask. */
function prefixOf(mask: string): number | undefined {
  if (!isIPv4(mask)) return undefined;
  const ones = (bitsOf(mask) >>> 0).toString(2).padStart(32, "0");
  return /^1+0*$/.test(ones) ? ones.replace(/0+$/, "").length : undefined;
}

function isProxy(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && (url.protocol === "http:" || url.protocol === "https:") && url.hostname !== "" && url.username === "" && url.password === "";
}
