import { z } from "zod";
import type { WiredAdapter } from "../../facts/wired-adapters.ts";
import type { KeptAdapter } from "./kept-adapter.ts";

/** What `ip -json address` and `ip -json route` print, as far as it is used (iproute2). */
const addressesSchema = z.array(z.looseObject({ ifname: z.string(), addr_info: z.array(z.looseObject({ family: z.string(), local: z.string().optional(), prefixlen: z.int().optional(), scope: z.string().optional(), dynamic: z.boolean().optional(), temporary: z.boolean().optional() })).default([]) }));
const routesSchema = z.array(z.looseObject({ dst: z.string(), gateway: z.string().optional(), dev: z.string().optional(), protocol: z.string().optional() }));

/**
 * What the kernel has of each wired adapter. An address with an end to its life was given by DHCP or a router's announcement; one without was set by somebody,
 * and so were its gateway and, as far as anybody can tell, the name servers.
 */
export function adaptersOfLinux(adapters: readonly WiredAdapter[], addresses: unknown, routes: unknown, resolver: string): KeptAdapter[] {
  const known = addressesSchema.parse(addresses);
  const defaults = routesSchema.parse(routes).filter((one) => one.dst === "default" && one.protocol !== "dhcp" && one.protocol !== "ra");
  const words = (keyword: string) => resolver.split("\n").map((line) => line.trim().split(/\s+/)).filter(([first]) => first === keyword).flatMap(([, ...rest]) => rest);
  return adapters.map(({ name, mac }): KeptAdapter => {
    const all = (known.find((one) => one.ifname === name)?.addr_info ?? []).filter((one) => one.scope === "global" && one.local !== undefined);
    const own = all.filter((one) => one.dynamic !== true && one.temporary !== true);
    const dhcp = all.some((one) => one.family === "inet" && one.dynamic === true) || own.length === 0;
    if (own.length === 0) return { mac, name, dhcp, addresses: [], gateways: [], dnsServers: [], searchDomains: [] };
    return {
      mac, name, dhcp, addresses: own.map((one) => ({ address: one.local ?? "", prefix: one.prefixlen ?? 0 })), gateways: [...new Set(defaults.filter((one) => one.dev === name).flatMap((one) => one.gateway ?? []))],
      // One of this computer's own only hands questions on.
      dnsServers: words("nameserver").filter((server) => !/^(127\.|::1$)/.test(server)), searchDomains: words("search").filter((domain) => domain !== "."),
    };
  });
}
