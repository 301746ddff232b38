import { restartStep } from "@prestage/sequence";
import { defineStep } from "./step-executor.ts";

/** Restarts into the installed system or the boot environment; the sequence goes on there. */
export const step = defineStep(restartStep, async (_run, { to }) => ({ restart: to }));
