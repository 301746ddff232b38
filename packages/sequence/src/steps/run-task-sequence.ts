import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Run Task Sequence (features.md F186). */
export const runTaskSequenceStep = defineStepType({
  type: "run-task-sequence",
  title: "Run task sequence",
  reference: ["Run Task Sequence"],
  summary: "Runs the steps of another task sequence of the site as a group in its place, with the same variables. The site puts them in when a sequence is added; a new revision of the child is in its parents at once.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  mergedAtSite: true,
  settings: z.strictObject({ taskSequence: referenceSchema.describe("The child") }),
  again: "Each of its steps by itself.",
  errors: ["PRESTAGE_SEQUENCE_CHILD"],
  example: `- name: What every office has
  type: run-task-sequence
  with: { taskSequence: ABC00009 }`,
});
