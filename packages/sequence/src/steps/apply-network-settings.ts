import { z } from "zod";
import { networkAnswers } from "../windows/network-answers.ts";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** A list, or a text with commas as variables have it. */
const listSchema = z.union([z.array(z.string().min(1).max(253)), z.string().max(4000).transform((text) => text.split(",").map((one) => one.trim()).filter((one) => one !== ""))]).pipe(z.array(z.string()).max(32));

export const adapterSchema = z
  .strictObject({
    mac: z.string().max(17).optional().describe("Its MAC address"),
    name: z.string().max(15).optional().describe("Or its name in the installed system, such as enp1s0; neither: the next wired one that no other entry names"),
    dhcp: flagSchema.optional().describe("Left out: only where no address is given"),
    addresses: listSchema.default([]).describe("With their prefix: 10.17.0.20/24"),
    gateways: listSchema.default([]),
    dnsServers: listSchema.default([]),
    searchDomains: listSchema.default([]),
  })
  .refine((value) => value.mac === undefined || value.name === undefined, "either mac or name");

/** Apply Network Settings (features.md F225), without the domain: join-directory does that. */
export const applyNetworkSettingsStep = defineStepType({
  type: "apply-network-settings",
  title: "Apply network settings",
  reference: ["Apply Network Settings", "MDT Apply Network Settings"],
  summary:
    "Writes the installed system's network settings, adapter by adapter; adapters not named get an address by DHCP. Without `adapters` the variables say them: OSDAdapterCount, and for each N from 0 OSDAdapterNMACAddress, OSDAdapterNName, OSDAdapterNEnableDHCP, OSDAdapterNIPAddressList, OSDAdapterNSubnetMask, OSDAdapterNGateways, OSDAdapterNDNSServerList and OSDAdapterNDNSSuffix, lists with commas. Of several such steps the last wins.",
  environments: ["environment"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    adapters: z.array(adapterSchema).min(1).max(16).optional().describe("In their order"),
    searchDomains: listSchema.default([]).describe("Domains for all of them"),
  }),
  variables: { searchDomains: "OSDDNSSuffixSearchOrder" },
  again: "It writes the same files again, and removes those of an earlier step of its kind.",
  errors: ["PRESTAGE_DISK_BAD_SETTING", "PRESTAGE_DISK_FILE_MISSING"],
  windows: ({ adapters = [], searchDomains }) => ({ answers: networkAnswers(adapters.map((one) => ({ ...one, identifier: one.mac ?? one.name ?? "Ethernet", dhcp: one.dhcp ?? one.addresses.length === 0, searchDomains: [...one.searchDomains, ...searchDomains] }))) }),
  example: `- name: Addresses
  type: apply-network-settings
  with:
    adapters:
      - { mac: "52:54:00:12:34:56", addresses: [10.17.0.20/24], gateways: [10.17.0.1], dnsServers: [10.17.0.2] }
      - { name: enp2s0, dhcp: true }`,
});
