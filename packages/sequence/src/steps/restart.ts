import { z } from "zod";
import { integerSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Seconds: a day. */
export const longestNotice = 86_400;

/** Restart Computer (features.md F219). */
export const restartStep = defineStepType({
  type: "restart",
  title: "Restart computer",
  reference: ["Restart Computer"],
  summary: "Restarts into the installed system or into the boot environment; the sequence goes on there with the next step. With `message` it says so first and counts down; a key ends the wait. Without, restarts are announced as SMSTSRebootMessage and SMSTSRebootDelay say, and not at all where neither is set.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    to: z.enum(["installed", "environment"]).default("installed").describe("Where to"),
    message: z.string().min(1).max(1000).optional().describe("What people at this computer are told before"),
    delaySeconds: integerSchema.pipe(z.int().max(longestNotice)).default(60).describe("How long that stands, a day at most; 0: not at all"),
  }),
  variables: { message: "SMSRebootMessage", delaySeconds: "SMSRebootTimeout" },
  again: "A restart that was cut short is done again; one that has happened is not.",
  example: `- name: Restart
  type: restart
  with: { to: installed, message: "The new system starts now.", delaySeconds: 30 }`,
});
