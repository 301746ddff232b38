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

/** Setup Windows and ConfigMgr (features.md F228), for Linux too. */
export const setUpOperatingSystemStep = defineStepType({
  type: "set-up-operating-system",
  title: "Set up operating system",
  reference: ["Setup Windows and Configuration Manager"],
  summary: "Makes of the applied image this computer's own system and has it go on with the sequence when it starts. On Linux: name, users, boot loader, network. On Windows: boot files and boot configuration, a name where no step has given one, a service. What else Windows is told at its first start is apply-windows-settings'; it needs a boot image built with --windows.",
  environments: ["environment"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    computerName: z.string().optional().describe("Name of the computer"),
    users: z.array(userSchema).max(100).default([]).describe("Users to make; Linux"),
    serialConsole: flagSchema.default(false).describe("A console on the first serial port; Linux"),
    network: z.literal("dhcp").default("dhcp").describe("How it gets its address"),
  }),
  variables: { computerName: "OSDComputerName" },
  again: "It writes the same files again.",
  errors: ["PRESTAGE_DISK_BAD_SETTING", "PRESTAGE_DISK_NO_BOOT_FILES", "PRESTAGE_DISK_BAD_REGISTRY", "PRESTAGE_AGENT_NO_WINDOWS_RUNTIME"],
  windows: ({ users, serialConsole }) => {
    if (users.length > 0) return "users are made in the installed Windows, by a run-script step with a secret: no password is written to the disk before";
    if (serialConsole) return "serialConsole is Linux' own";
    return {};
  },
  example: `- name: Set up
  type: set-up-operating-system
  with: { computerName: "%OSDComputerName%", users: [{ name: admin, sudo: true }] }`,
});
