import { z } from "zod";
import { defineStepType } from "./step-definition.ts";

/** Restart Computer (features.md F219). */
export const restartStep = defineStepType({
  type: "restart",
  title: "Restart computer",
  summary: "Restarts into the installed system or into the boot environment; the sequence goes on there with the next step.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ to: z.enum(["installed", "environment"]).default("installed").describe("Where to") }),
  again: "A restart that was cut short is done again; one that has happened is not.",
  example: `- name: Restart
  type: restart
  with: { to: installed }`,
});
