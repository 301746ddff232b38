import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** ERROR_INVALID_FUNCTION and ERROR_FILE_NOT_FOUND: there was none to turn off. */
const wasOff = [1, 2];

/** Turns Windows Recovery on (MDT's Add Windows Recovery). */
export const setUpRecoveryEnvironmentStep = defineStepType({
  type: "set-up-recovery-environment",
  title: "Set up the recovery environment",
  reference: ["MDT Windows Recovery"],
  summary: "Has Windows keep its recovery environment ready: its own, or one of a package.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({ package: referenceSchema.optional().describe("A package with a Winre.wim at its top; left out: Windows' own") }),
  again: "It is turned off first, and on again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  windows: ({ package: own }, { folderOf }) => ({
    commands: [
      { what: "turning the former recovery environment off", program: "reagentc.exe", arguments: ["/disable"], successCodes: wasOff },
      ...(own === undefined ? [] : [
        { what: "taking the recovery environment", program: "robocopy.exe", arguments: [folderOf(own), recoveryFolder, "Winre.wim", "/r:1", "/w:1"], successCodes: [1, 2, 3] },
        { what: "naming the recovery environment", program: "reagentc.exe", arguments: ["/setreimage", "/path", recoveryFolder] },
      ]),
      { what: "turning the recovery environment on", program: "reagentc.exe", arguments: ["/enable"] },
    ],
  }),
  example: `- name: Recovery
  type: set-up-recovery-environment`,
});

/** A package's folder goes when the step ends. */
const recoveryFolder = String.raw`C:\Windows\System32\Recovery`;
