/** Settings of an adapter, to be set again by apply-network-settings. */
export interface KeptAdapter { mac: string; name: string; dhcp: boolean; addresses: readonly { address: string; prefix: number }[]; gateways: readonly string[]; dnsServers: readonly string[]; searchDomains: readonly string[] }

/** The most that apply-network-settings takes. */
const mostAdapters = 16;

/** The variables of all adapters, in their order; an empty one takes away what an earlier step has said. */
export function adapterVariables(adapters: readonly KeptAdapter[]): [name: string, value: string][] {
  const kept = adapters.slice(0, mostAdapters);
  return kept.flatMap(({ mac, name, dhcp, addresses, gateways, dnsServers, searchDomains }, i): [string, string][] => {
    const of = (what: string, value: string): [string, string] => [`OSDAdapter${i}${what}`, value];
    return [
      of("MACAddress", mac), of("Name", name), of("EnableDHCP", String(dhcp)), of("IPAddressList", addresses.map((one) => one.address).join(",")), of("SubnetMask", addresses.map(maskOf).join(",")),
      of("Gateways", gateways.join(",")), of("DNSServerList", dnsServers.join(",")), of("DNSSuffix", searchDomains.join(",")),
    ];
  });
}

/** 255.255.255.0 for 24; of IPv6 the length itself. */
function maskOf({ address, prefix }: { address: string; prefix: number }): string {
  if (address.includes(":")) return String(prefix);
  return [0, 8, 16, 24].map((at) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - at)))).join(".");
}
