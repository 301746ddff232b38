import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { requestStateStoreStep } from "@prestage/sequence";
import { AgentError } from "../../error.ts";
import { defineStep } from "../step-executor.ts";
import { localStore, readCapturedState, refuseLostFolder } from "./state-store.ts";

/** Finds the place for users' files. */
export const step = defineStep(requestStateStoreStep, async (run, { action, store }) => {
  if (store === "site") throw new AgentError("PRESTAGE_AGENT_NO_STATE_STORE", "Expected a state store at the site; it has none.", "Name `store: local`, or a folder that connect-network-folder has mounted.");
  if (store !== "local" && !store.startsWith("/")) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a folder of this Linux for users' files; found ${JSON.stringify(store)}, a folder of Windows.`, "Name a path that begins with /.");
  const path = store === "local" ? join(run.context.dataRoot, localStore) : store;
  await refuseLostFolder(path);
  if (action === "capture") await mkdir(path, { recursive: true, mode: 0o700 });
  else run.output(`${(await readCapturedState(path)).users.length} users are captured in ${path}`);
  run.setVariable("OSDStateStorePath", path);
  return {};
});
