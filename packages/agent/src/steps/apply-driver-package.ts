import { applyDriverPackageStep } from "@prestage/sequence";
import { computerModel, copyDrivers, isForModel, rebuildInitramfs } from "./install-drivers.ts";
import { stageDriversForWindows } from "../windows/stage-drivers.ts";
import { defineStep } from "./step-executor.ts";

/** Applies one driver package; one for other models changes nothing. */
export const step = defineStep(applyDriverPackageStep, async (run, { driverPackage }) => {
  if (run.context.environment === "boot") return stageDriversForWindows(run, [driverPackage]);
  const copy = await run.context.content.checkOut(driverPackage);
  const { content: found, folder } = copy;
  try {
    const models = found.definition.kind === "driver-package" ? found.definition.models : [];
    const model = await computerModel();
    if (!isForModel(model, models)) return { outputTail: `Nothing was changed: ${found.name} is for ${models.join(", ")}; this computer is ${JSON.stringify(model)}.` };
    await copyDrivers(run, found.name, folder);
    return await rebuildInitramfs(run);
  } finally {
    await copy.release();
  }
});
