import { z } from "zod";
import { defineStep } from "./step-executor.ts";

/** Restarts into the installed system or the boot environment; the sequence goes on there. */
export const step = defineStep({
  type: "restart",
  environments: ["boot", "installed"],
  settings: z.strictObject({ to: z.enum(["installed", "environment"]).default("installed") }),
  run: async (_run, { to }) => ({ restart: to }),
});
