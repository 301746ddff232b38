import { releaseStateStoreStep } from "@prestage/sequence";
import { defineStep } from "../step-executor.ts";
import { readCapturedState, removeCapturedState, storePath } from "./state-store.ts";

/** Ends the use of the store. */
export const step = defineStep(releaseStateStoreStep, async (run, { remove }) => {
  const store = await storePath(run).catch(() => undefined);
  if (store !== undefined && remove) await removeCapturedState(store);
  else if (store !== undefined) await readCapturedState(store);
  run.setVariable("OSDStateStorePath", "");
  return { outputTail: store === undefined ? "no store was in use" : remove ? `what was captured in ${store} is deleted` : `${store} keeps what was captured` };
});
