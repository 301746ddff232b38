import { z } from "zod";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const userSchema = z.strictObject({
  name: z.string().min(1).max(32),
  sshKeys: z.array(z.string().max(16_000)).max(64).optional().describe("Public keys that may sign in"),
  passwordHash: z.string().max(300).optional().describe("As in /etc/shadow; never the password"),
  sudo: flagSchema.optional(),
  groups: z.array(z.string().max(32)).max(32).default([]),
});

/** Setup Windows and ConfigMgr (features.md F228), for Linux. */
export const setUpOperatingSystemStep = defineStepType({
  type: "set-up-operating-system",
  title: "Set up operating system",
  summary: "Makes of the applied image this computer's own system - name, users, boot loader, network - and has it go on with the sequence when it starts.",
  environments: ["environment"],
  settings: z.strictObject({
    computerName: z.string().optional().describe("Name of the computer"),
    users: z.array(userSchema).max(100).default([]).describe("Users to make"),
    serialConsole: flagSchema.default(false).describe("A console on the first serial port"),
    network: z.literal("dhcp").default("dhcp").describe("How it gets its address"),
  }),
  variables: { computerName: "OSDComputerName" },
  again: "It writes the same files again.",
  errors: ["PRESTAGE_DISK_BAD_SETTING"],
  example: `- name: Set up
  type: set-up-operating-system
  with: { computerName: "%OSDComputerName%", users: [{ name: admin, sudo: true }] }`,
});
