import { applyDataImage, mountUnit, readNetworkSystem, volumeFacts, writeSettings } from "@prestage/disk";
import { applyDataImageStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { defineStep } from "./step-executor.ts";
import { targetPartition } from "./target-partition.ts";

/** Applies an image onto another partition than the system's. */
export const step = defineStep(applyDataImageStep, async (run, { osImage, index, disk, partition, wipe, mountPoint }) => {
  const { content, dataRoot, signal } = run.context;
  const device = await targetPartition(run.context, disk, partition);
  if (mountPoint !== undefined) {
    // Before minutes of work: a place that is not valid, a system that is not there.
    mountUnit("UUID=", mountPoint, "ext4");
    await readNetworkSystem(dataRoot);
  }
  const { content: object, wim, image, references } = await content.ensureImage(osImage, index);
  const type = await applyDataImage({ device, wim, references, index: image, wipe, signal, onPercent: (percent) => run.progress({ label: "Applying the data", done: percent, total: 100, unit: "percent" }) });
  run.output(`applied image ${index} of ${object.name} onto ${device}`);
  if (mountPoint !== undefined) {
    const { uuid } = await volumeFacts(device, { signal });
    if (uuid === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected a file system with an identity on ${device}; found none.`, "Format the partition anew.");
    await writeSettings(dataRoot, mountUnit(`UUID=${uuid}`, mountPoint, type === "ntfs" ? "ntfs-3g" : "ext4"));
    run.output(`mounted at ${mountPoint} in the installed system`);
  }
  return {};
});
