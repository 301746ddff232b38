import { z } from "zod";
import { baseVariableSchema, flagSchema, referenceSchema, restartCodesSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Install Package (features.md F233). */
export const installPackageStep = defineStepType({
  type: "install-package",
  title: "Install package",
  reference: ["Install Package"],
  summary: "Runs one program of a package, with the package's folder as working directory; or programs of several packages, which variables name.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      package: referenceSchema.optional().describe("The package"),
      program: z.string().min(1).max(50).optional().describe("Name of its program"),
      baseVariable: baseVariableSchema.optional().describe("Those that the variables NAME001, NAME002 and so on name, as ID:PROGRAM, to the first that is not set"),
      continueOnInstallError: flagSchema.default(false).describe("true: one that fails does not keep the others from being run, nor fail the step"),
      restartCodes: restartCodesSchema,
      timeoutSeconds: timeoutSchema,
    })
    .refine((value) => (value.package === undefined) === (value.program === undefined) && (value.package === undefined) !== (value.baseVariable === undefined), "either package and program, or baseVariable"),
  again: "The program is run again: write it so that this does no harm. Of several, those that had ended are not.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  example: `- name: Site settings
  type: install-package
  with: { package: ABC00005, program: Apply }`,
});
