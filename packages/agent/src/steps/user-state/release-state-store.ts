import { releaseStateStoreStep } from "@prestage/sequence";
import { defineStep } from "../step-executor.ts";
import { readCapturedState, removeCapturedState, storePath } from "./state-store.ts";

/** Ends the use of the store. Where it is not there, nothing was deleted, and the step does not say so. */
export const step = defineStep(releaseStateStoreStep, async (run, { remove, store: given }) => {
  const named = given ?? "";
  const store = named === "" ? undefined : remove ? await storePath(named) : await storePath(named).catch(() => undefined);
  if (store !== undefined && remove) await removeCapturedState(store);
  else if (store !== undefined) await readCapturedState(store);
  run.setVariable("OSDStateStorePath", "");
  if (named === "") return { outputTail: "no store was in use" };
  if (store === undefined) return { outputTail: `${named} is not there now; what was captured in it is not touched` };
  return { outputTail: remove ? `what was captured in ${store} is deleted` : `${store} keeps what was captured` };
});
