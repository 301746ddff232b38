import { BlockList, isIP } from "node:net";
import { DiskError } from "./error.ts";
import type { SettingChange } from "./setting-change.ts";

/** One adapter of the installed system. What is static may stand beside DHCP. */
export interface NetworkAdapter {
  /** Which one: by its address, or by the name it has in the installed system. */
  match: { mac: string } | { name: string };
  dhcp: boolean;
  /** With their prefix, such as 10.17.0.20/24 or 2001:db8::20/64. */
  addresses: readonly string[];
  gateways: readonly string[];
  dnsServers: readonly string[];
  searchDomains: readonly string[];
}

/** What looks after the network in an image. */
export interface NetworkSystem {
  manager: "systemd-networkd" | "network-manager";
  /** Whether systemd-resolved is there. */
  resolved: boolean;
}

const systemd = "etc/systemd/system";
const mostAdapters = 16;

/** An address by DHCP on every wired interface: what an installed system has before anything else is said. */
export function dhcpEverywhere(system: NetworkSystem): SettingChange[] {
  // NetworkManager gives every wired interface DHCP by itself.
  if (system.manager === "network-manager") return [];
  return [{ kind: "file", path: "etc/systemd/network/10-dhcp.network", mode: 0o644, content: "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n" }, ...networkServices(system)];
}

/**
 * The adapters' own settings, before those for every wired interface; what an earlier run wrote is replaced.
 * @throws DiskError PRESTAGE_DISK_BAD_SETTING
 */
export function adapterSettings(adapters: readonly NetworkAdapter[], system: NetworkSystem): SettingChange[] {
  if (adapters.length > mostAdapters) refuse(`at most ${mostAdapters} adapters`, String(adapters.length));
  adapters.forEach(checkAdapter);
  const keyfiles = system.manager === "network-manager";
  const path = (i: number) => (keyfiles ? `etc/NetworkManager/system-connections/prestage-${i}.nmconnection` : `etc/systemd/network/05-prestage-${i}.network`);
  const files = Array.from({ length: mostAdapters }, (_, i): SettingChange => {
    const adapter = adapters[i];
    if (adapter === undefined) return { kind: "remove", path: path(i) };
    return { kind: "file", path: path(i), mode: keyfiles ? 0o600 : 0o644, content: keyfiles ? keyfile(adapter, i) : networkdFile(adapter) };
  });
  return [...files, ...(keyfiles ? [] : [...networkServices(system), ...resolverFile(adapters, system)])];
}

/** systemd-networkd is in every Debian that systemd starts; what ifupdown would bring up as well is left to it. */
function networkServices(system: NetworkSystem): SettingChange[] {
  const library = "/lib/systemd/system";
  const link = (path: string, unit: string): SettingChange => ({ kind: "link", path: `${systemd}/${path}`, target: `${library}/${unit}` });
  const enable = (wanted: string, unit: string) => link(`${wanted}/${unit}`, unit);
  return [
    { kind: "remove", path: `${systemd}/multi-user.target.wants/networking.service` },
    { kind: "remove", path: `${systemd}/network-online.target.wants/networking.service` },
    enable("multi-user.target.wants", "systemd-networkd.service"),
    enable("sockets.target.wants", "systemd-networkd.socket"),
    enable("network-online.target.wants", "systemd-networkd-wait-online.service"),
    link("dbus-org.freedesktop.network1.service", "systemd-networkd.service"),
    ...(system.resolved
      ? [enable("multi-user.target.wants", "systemd-resolved.service"), link("dbus-org.freedesktop.resolve1.service", "systemd-resolved.service"), { kind: "link" as const, path: "etc/resolv.conf", target: "/run/systemd/resolve/stub-resolv.conf" }]
      : []),
  ];
}

/** Without systemd-resolved names are looked up as the C library does it: three servers, six domains (resolv.conf(5)). */
function resolverFile(adapters: readonly NetworkAdapter[], system: NetworkSystem): SettingChange[] {
  const servers = adapters.flatMap((one) => one.dnsServers);
  const domains = adapters.flatMap((one) => one.searchDomains);
  if (system.resolved || servers.length + domains.length === 0) return [];
  const lines = [...(domains.length > 0 ? [`search ${[...new Set(domains)].slice(0, 6).join(" ")}`] : []), ...[...new Set(servers)].slice(0, 3).map((server) => `nameserver ${server}`)];
  return [{ kind: "file", path: "etc/resolv.conf", mode: 0o644, content: `${lines.join("\n")}\n` }];
}

/** systemd.network(5). */
function networkdFile({ match, dhcp, addresses, gateways, dnsServers, searchDomains }: NetworkAdapter): string {
  return `# Written by the deployment.
[Match]
${"mac" in match ? `MACAddress=${match.mac.toLowerCase()}\nType=ether` : `Name=${match.name}`}

[Network]
${[`DHCP=${dhcp ? "yes" : "no"}`, ...addresses.map((one) => `Address=${one}`), ...gateways.map((one) => `Gateway=${one}`), ...dnsServers.map((one) => `DNS=${one}`), ...(searchDomains.length > 0 ? [`Domains=${searchDomains.join(" ")}`] : [])].join("\n")}
`;
}

/** nm-settings-keyfile(5). A method `auto` takes static addresses as well. */
function keyfile({ match, dhcp, addresses, gateways, dnsServers, searchDomains }: NetworkAdapter, i: number): string {
  const section = (version: 4 | 6) => {
    const own = (list: readonly string[]) => list.filter((one) => isIP(one.split("/")[0] ?? "") === version);
    const fixed = own(addresses);
    const method = dhcp || (version === 6 && fixed.length === 0) ? "auto" : fixed.length > 0 ? "manual" : "disabled";
    const gateway = own(gateways)[0];
    const servers = own(dnsServers);
    return [
      `[ipv${version}]`, `method=${method}`, ...fixed.map((one, n) => `address${n + 1}=${one}`), ...(gateway === undefined ? [] : [`gateway=${gateway}`]),
      ...(servers.length > 0 ? [`dns=${servers.map((one) => `${one};`).join("")}`] : []), ...(searchDomains.length > 0 && method !== "disabled" ? [`dns-search=${searchDomains.map((one) => `${one};`).join("")}`] : []),
    ].join("\n");
  };
  return `# Written by the deployment.
[connection]
id=prestage-${i}
type=ethernet
autoconnect-priority=10
${"name" in match ? `interface-name=${match.name}\n` : ""}
[ethernet]
${"mac" in match ? `mac-address=${match.mac.toUpperCase()}\n` : ""}
${section(4)}

${section(6)}
`;
}

/** These go into line-based files: nothing in them may start a new section or line. */
function checkAdapter(adapter: NetworkAdapter): void {
  const { match, dhcp, addresses, gateways, dnsServers, searchDomains } = adapter;
  if ("mac" in match && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(match.mac)) refuse("a MAC address such as 52:54:00:12:34:56", match.mac);
  if ("name" in match && !/^[A-Za-z0-9_.-]{1,15}$/.test(match.name)) refuse("an interface's name of 1 to 15 letters, digits, _, . and -", match.name);
  if (!dhcp && addresses.length === 0) refuse("an address, or DHCP", "neither");
  const subnets = new BlockList();
  for (const address of addresses) {
    const [host = "", prefix = "", ...rest] = address.split("/");
    const version = isIP(host);
    if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) < 1 || Number(prefix) > (version === 4 ? 32 : 128)) refuse("an address with its prefix, such as 10.17.0.20/24", address);
    subnets.addSubnet(host, Number(prefix), version === 4 ? "ipv4" : "ipv6");
  }
  for (const server of [...gateways, ...dnsServers]) if (isIP(server) === 0) refuse("an IP address", server);
  for (const gateway of gateways) {
    const family = isIP(gateway) === 4 ? "ipv4" : "ipv6";
    const linkLocal = /^fe[89ab]/i.test(gateway);
    // It would be unreachable, and the computer with it.
    if (!linkLocal && !subnets.check(gateway, family)) refuse(`a gateway inside one of the adapter's own networks (${addresses.join(", ") || "none"})`, gateway);
  }
  for (const domain of searchDomains) if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/.test(domain)) refuse("a domain's name", domain);
}

function refuse(expected: string, found: string): never {
  throw new DiskError("PRESTAGE_DISK_BAD_SETTING", `Expected ${expected} in the network settings, found ${JSON.stringify(found)}. Correct it in the task sequence.`);
}
