import { z } from "zod";
import { integerSchema, referenceSchema } from "./settings.ts";
import { dataVolume } from "./data-volume.ts";
import { defineStepType } from "./step-definition.ts";

/** Apply Operating System Image (features.md F221, F132-F134). */
export const applyOsImageStep = defineStepType({
  type: "apply-os-image",
  title: "Apply operating system image",
  reference: ["Apply Operating System Image", "MDT Install Operating System"],
  summary: "Applies an image from the computer's own disk onto the data volume, around /prestage. A revised image is fetched as what differs from the one on the disk.",
  environments: ["environment"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ osImage: referenceSchema.describe("The OS image"), index: integerSchema.default(1).describe("Which image of the .wim") }),
  variables: { index: "OSDImageIndex" },
  sets: { OSDTargetSystemDrive: "where that volume is: its folder in the boot environment; the agent has it be the system's own root, / or C:, once the sequence goes on there" },
  // The boot environment mounts it there, and the step runs nowhere else.
  setsTo: () => [{ name: "OSDTargetSystemDrive", value: dataVolume }],
  again: "An interrupted attempt is deleted and begun anew; /prestage is never touched.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Debian
  type: apply-os-image
  with: { osImage: ABC00003, index: 1 }`,
});
