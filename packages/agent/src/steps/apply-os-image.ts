import { applyOsImageStep } from "@prestage/sequence";
import { relative } from "node:path";
import { applyOsImage, applyOsImageToNtfs } from "@prestage/disk";
import { defineStep } from "./step-executor.ts";

/** Applies an image onto the data volume, around /prestage. An interrupted attempt is deleted and begun anew. */
export const step = defineStep(applyOsImageStep, async (run, { osImage, index }) => {
  const { content, dataRoot, disk, signal, releaseVolume = (use) => use() } = run.context;
  const { content: object, wim, image, references } = await content.ensureImage(osImage, index);
  const onProgress = ({ phase, percent }: { phase: keyof typeof labels; percent: number }) => run.progress({ label: labels[phase], done: percent, total: 100, unit: "percent" });
  // wimlib writes NTFS itself: the volume is not mounted meanwhile, and the image is named by its place on it.
  if (disk.dataFileSystem === "ntfs") await releaseVolume(() => applyOsImageToNtfs({ device: disk.dataPartition, wim: relative(dataRoot, wim), references: references.map((path) => relative(dataRoot, path)), index: image, signal, onProgress }));
  else await applyOsImage({ wim, references, index: image, target: dataRoot, signal, onProgress });
  run.setVariable("OSDTargetSystemDrive", dataRoot);
  run.output(`applied image ${index} of ${object.name}`);
  return {};
});

const labels = { clear: "Clearing the volume", apply: "Applying the operating system", sync: "Writing everything to the disk" };
