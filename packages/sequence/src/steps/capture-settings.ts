import { z } from "zod";
import { isOff } from "./named-variables.ts";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Capture Network Settings (features.md F235, F236). */
export const captureNetworkSettingsStep = defineStepType({
  type: "capture-network-settings",
  title: "Capture network settings",
  reference: ["Capture Network Settings", "MDT Capture Network Settings"],
  summary:
    "Keeps the addresses of the system that runs in the variables that apply-network-settings reads, adapter by adapter: OSDAdapterCount, and for each wired adapter N from 0 OSDAdapterNMACAddress, OSDAdapterNName, OSDAdapterNEnableDHCP, and, where it has addresses of its own, OSDAdapterNIPAddressList, OSDAdapterNSubnetMask, OSDAdapterNGateways, OSDAdapterNDNSServerList and OSDAdapterNDNSSuffix. A system that is applied later in the same sequence gets them by an apply-network-settings step without `adapters`.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    adapters: flagSchema.default(true).describe("Addresses of the adapters"),
    membership: flagSchema.default(false).describe("Domain or workgroup of a Windows; Linux keeps none"),
  }),
  variables: { adapters: "OSDMigrateAdapterSettings", membership: "OSDMigrateNetworkMembership" },
  sets: { OSDAdapterCount: "how many adapters are kept", OSDJoinDomainName: "the domain a Windows belongs to", OSDWorkgroupName: "its workgroup, where it belongs to no domain" },
  setsWith: ({ adapters, membership = false }) => [...(isOff(adapters) ? [] : ["OSDAdapterCount", ...keptOfAdapters]), ...(isOff(membership) ? [] : ["OSDJoinDomainName", "OSDWorkgroupName"])],
  again: "It looks again, and sets the same variables.",
  errors: ["PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: Keep the addresses
  type: capture-network-settings`,
});

/** What is kept of each adapter, of as many as apply-network-settings takes. */
const keptOfAdapters = Array.from({ length: 16 }, (_, i) => ["MACAddress", "Name", "EnableDHCP", "IPAddressList", "SubnetMask", "Gateways", "DNSServerList", "DNSSuffix"].map((name) => `OSDAdapter${i}${name}`)).flat();

/** Capture Windows Settings (features.md F235, F236), for Linux too. */
export const captureSystemSettingsStep = defineStepType({
  type: "capture-system-settings",
  title: "Capture system settings",
  reference: ["Capture Windows Settings"],
  summary: "Keeps name, owner, time zone and language of the system that runs (on Linux of the one on the data volume, so in the boot environment, too) in variables: apply-windows-settings, apply-linux-settings and set-up-operating-system read those of their system.",
  environments: ["environment", "installed"],
  environmentsOnWindows: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    computerName: flagSchema.default(true).describe("Name of the computer"),
    registration: flagSchema.default(true).describe("Owner and organization of a Windows"),
    timeZone: flagSchema.default(true).describe("Time zone"),
    language: flagSchema.default(true).describe("Language and formats"),
  }),
  variables: { computerName: "OSDMigrateComputerName", registration: "OSDMigrateRegistrationInfo", timeZone: "OSDMigrateTimeZone" },
  sets: {
    OSDComputerName: "name of the computer", OSDTimeZone: "time zone, such as Europe/Paris; on Windows as `tzutil /l` lists it", OSDRegisteredUserName: "owner of a Windows", OSDRegisteredOrgName: "its organization",
    OSDUILanguage: "language of a Windows", OSDUserLocale: "formats of a Windows", OSDSystemLocale: "on Linux the locale, such as de_DE.UTF-8",
  },
  setsWith: ({ computerName, registration, timeZone, language }) => [
    ...(isOff(computerName) ? [] : ["OSDComputerName"]), ...(isOff(registration) ? [] : ["OSDRegisteredUserName", "OSDRegisteredOrgName"]), ...(isOff(timeZone) ? [] : ["OSDTimeZone"]),
    ...(isOff(language) ? [] : ["OSDUILanguage", "OSDUserLocale", "OSDSystemLocale"]),
  ],
  again: "It looks again, and sets the same variables.",
  errors: ["PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: Keep the name
  type: capture-system-settings
  with: { registration: false }`,
});
