import { z } from "zod";
import { flagSchema, integerSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const result = "1 where it was asked for and is met, 0 where it is not";

/** Check Readiness (features.md F216, F218). */
export const checkReadinessStep = defineStepType({
  type: "check-readiness",
  title: "Check readiness",
  reference: ["Check Readiness", "MDT Validate"],
  summary: "Compares the computer with what the sequence needs. Every check is made and logged; the step fails, with exit code 4316, where one is not met. An installed Windows is asked by CIM.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    memoryMiB: integerSchema.default(768).describe("Memory at least"),
    processorMHz: integerSchema.default(800).describe("Processor speed at least"),
    diskMiB: integerSchema.optional().describe("Size of the largest fixed disk at least"),
    freeDiskMiB: integerSchema.optional().describe("Free space at least on the volume of the deployed system"),
    operatingSystem: z.string().max(64).optional().describe("Name of the system that is there, such as debian or Windows; as in conditions"),
    osVersionAtLeast: z.string().max(64).optional().describe("Its version, compared part by part"),
    osVersionAtMost: z.string().max(64).optional().describe("Its version; 12 takes in every 12.x"),
    language: z.string().max(64).optional().describe("Its language, such as de_DE or de-DE"),
    agentVersion: z.string().max(32).optional().describe("Version of the agent at least"),
    architecture: z.enum(["x64", "arm64"]).optional().describe("Of the processor"),
    uefi: flagSchema.optional().describe("true: the firmware is UEFI; false: it is not"),
    secureBoot: flagSchema.optional().describe("true: on; false: off"),
    tpm: flagSchema.optional().describe("true: a TPM 2.0 is there"),
    acPower: flagSchema.optional().describe("true: it does not run from a battery"),
    network: flagSchema.optional().describe("true: a network interface has a link"),
    wiredNetwork: flagSchema.optional().describe("true: a wired one has"),
  }),
  sets: { _TS_CRMEMORY: `memory: ${result}`, _TS_CRSPEED: "processor speed", _TS_CRDISK: "disk", _TS_CROSTYPE: "operating system", _TS_CRMINOSVER: "least version", _TS_CRMAXOSVER: "highest version", _TS_CROSLANGUAGE: "language", _TS_CRCLIENTMINVER: "agent", _TS_CRARCH: "architecture", _TS_CRUEFI: "firmware", _TS_CRTPMENABLED: "TPM", _TS_CRACPOWER: "power", _TS_CRNETWORK: "network", _TS_CRWIRED: "wired network" },
  again: "It only looks.",
  example: `- name: Is it good enough?
  type: check-readiness
  with: { memoryMiB: 4096, diskMiB: 60000, acPower: true }`,
});
