import { z } from "zod";
import { addDrivers } from "../windows/programs.ts";
import { referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Auto Apply Drivers (features.md F226). */
export const autoApplyDriversStep = defineStepType({
  type: "auto-apply-drivers",
  title: "Auto apply drivers",
  reference: ["Auto Apply Drivers", "MDT Inject Drivers"],
  summary:
    "Applies those of some driver packages that fit this computer's own devices. A package says what it is for by the aliases in its modules for the running kernel, by lines of a file `modaliases` in its folder (for firmware: pci:v00008086d00002723*), or, where it has neither, by its models; one for other models is never taken. `best` takes for each device the package that names it most exactly, `all` every one that fits. Where none fits nothing is changed. Windows itself takes the best driver for each device: it is given those of every package for its model, in the boot environment so that it has them at its first start.",
  environments: ["environment", "installed"],
  environmentsOnLinux: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    driverPackages: z.array(referenceSchema).min(1).max(200).describe("Which to choose from, a category as it were; of two that fit alike the earlier"),
    choose: z.enum(["best", "all"]).default("best"),
  }),
  again: "The same files are copied again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_AGENT_NOT_WINDOWS"],
  windows: ({ driverPackages }, { folderOf, fits }) => ({ commands: driverPackages.filter(fits).map((id) => addDrivers(folderOf(id))) }),
  example: `- name: Drivers
  type: auto-apply-drivers
  with: { driverPackages: [ABC00006, ABC00007], choose: best }`,
});
