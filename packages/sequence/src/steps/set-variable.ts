import { z } from "zod";
import { nameIn } from "./named-variables.ts";
import { defineStepType } from "./step-definition.ts";

/** Set Task Sequence Variable (features.md F200, F201). */
export const setVariableStep = defineStepType({
  type: "set-variable",
  title: "Set task sequence variable",
  reference: ["Set Task Sequence Variable"],
  summary: "Sets a variable for all later steps; an empty value deletes it.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    name: z.string().describe("1 to 256 letters, digits, _, - and ., beginning with a letter"),
    value: z.union([z.string(), z.number(), z.boolean()]).transform(String).describe("At most 4,000 characters"),
  }),
  setsNamed: (settings) => nameIn(settings, "name"),
  setsTo: ({ name, value }) => (typeof name === "string" && (typeof value === "string" || typeof value === "number" || typeof value === "boolean") ? [{ name, value: String(value) }] : []),
  again: "It is set to the same value again.",
  errors: ["PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: Role
  type: set-variable
  with: { name: Role, value: kiosk }`,
});
