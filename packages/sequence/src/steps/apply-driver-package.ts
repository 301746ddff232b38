import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { addDrivers } from "../windows/programs.ts";
import { defineStepType } from "./step-definition.ts";

/** Apply Driver Package (features.md F227). */
export const applyDriverPackageStep = defineStepType({
  type: "apply-driver-package",
  title: "Apply driver package",
  reference: ["Apply Driver Package"],
  summary: "Copies a driver package's firmware/ and modules/ into the running system and rebuilds its initramfs; on Windows adds every driver in it to the driver store, in the boot environment so that it has them at its first start. A package for other models changes nothing.",
  environments: ["environment", "installed"],
  environmentsOnLinux: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ driverPackage: referenceSchema.describe("The driver package") }),
  again: "The same files are copied again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_AGENT_NOT_WINDOWS"],
  windows: ({ driverPackage }, { folderOf, fits }) => ({ commands: fits(driverPackage) ? [addDrivers(folderOf(driverPackage))] : [] }),
  example: `- name: Firmware
  type: apply-driver-package
  with: { driverPackage: ABC00006 }`,
});
