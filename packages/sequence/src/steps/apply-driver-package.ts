import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Apply Driver Package (features.md F227). */
export const applyDriverPackageStep = defineStepType({
  type: "apply-driver-package",
  title: "Apply driver package",
  summary: "Copies a driver package's firmware/ and modules/ into the running system and rebuilds its initramfs. A package for other models changes nothing.",
  environments: ["installed"],
  settings: z.strictObject({ driverPackage: referenceSchema.describe("The driver package") }),
  again: "The same files are copied again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Firmware
  type: apply-driver-package
  with: { driverPackage: ABC00006 }`,
});
