import { setVariableStep } from "@prestage/sequence";
import { defineStep } from "./step-executor.ts";

/** Sets a task sequence variable; an empty value deletes it. */
export const step = defineStep(setVariableStep, async (run, { name, value }) => {
  run.setVariable(name, value);
  return {};
});
