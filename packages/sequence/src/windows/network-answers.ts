import { isIPv4 } from "node:net";
import type { AnswerComponent, AnswerSettings } from "./answer-file.ts";

/** An adapter's settings as Windows Setup is told them. */
export interface WindowsAdapter {
  /** Its MAC address or its name in Windows. */
  identifier: string;
  dhcp: boolean;
  /** With their prefix lengths. */
  addresses: readonly string[];
  gateways: readonly string[];
  dnsServers: readonly string[];
  searchDomains: readonly string[];
}

/** TCP/IP and DNS settings of adapters (Unattended Windows Setup Reference: Microsoft-Windows-TCPIP, Microsoft-Windows-DNS-Client; pass specialize). */
export function networkAnswers(adapters: readonly WindowsAdapter[]): AnswerComponent[] {
  const identifier = (one: WindowsAdapter) => (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(one.identifier) ? one.identifier.replaceAll(":", "-").toUpperCase() : one.identifier);
  const interfaces = adapters.map((one): AnswerSettings => ({
    Interface: {
      Identifier: identifier(one),
      Ipv4Settings: { DhcpEnabled: String(one.dhcp) },
      ...(one.addresses.length > 0 && { UnicastIpAddresses: one.addresses.map((address) => ({ IpAddress: address })) }),
      ...(one.gateways.length > 0 && { Routes: one.gateways.map((gateway, i) => ({ Route: { Identifier: String(i), Prefix: isIPv4(gateway) ? "0.0.0.0/0" : "::/0", NextHopAddress: gateway } })) }),
    },
  }));
  const withDns = adapters.filter((one) => one.dnsServers.length > 0);
  const domains = [...new Set(adapters.flatMap((one) => one.searchDomains))];
  const dns: AnswerSettings = {
    ...(withDns.length > 0 && { Interfaces: withDns.map((one) => ({ Interface: { Identifier: identifier(one), DNSServerSearchOrder: one.dnsServers.map((server) => ({ IpAddress: server })) } })) }),
    ...(domains.length > 0 && { DNSSuffixSearchOrder: domains.map((domain) => ({ DomainName: domain })) }),
  };
  return [{ pass: "specialize", component: "Microsoft-Windows-TCPIP", settings: { Interfaces: interfaces } }, ...(Object.keys(dns).length > 0 ? [{ pass: "specialize" as const, component: "Microsoft-Windows-DNS-Client", settings: dns }] : [])];
}
