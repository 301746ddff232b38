import { z } from "zod";
import { defineStep } from "./step-executor.ts";

/** Sets a task sequence variable; an empty value deletes it. */
export const step = defineStep({
  type: "set-variable",
  environments: ["boot", "installed"],
  settings: z.strictObject({ name: z.string(), value: z.union([z.string(), z.number(), z.boolean()]).transform(String) }),
  run: async (run, { name, value }) => {
    run.setVariable(name, value);
    return {};
  },
});
