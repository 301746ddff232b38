import { join } from "node:path";
import { applyOsImage } from "@prestage/disk";
import { z } from "zod";
import { integerSchema, referenceSchema } from "./settings.ts";
import { defineStep } from "./step-executor.ts";

const settings = z.strictObject({ osImage: referenceSchema, index: integerSchema.default(1) });

/** Applies an image onto the data volume, around /prestage. An interrupted attempt is deleted and begun anew. */
export const step = defineStep({
  type: "apply-os-image",
  environments: ["boot"],
  settings,
  run: async (run, { osImage, index }) => {
    const { content, dataRoot, signal } = run.context;
    const { content: image, folder } = await content.ensure(osImage);
    await applyOsImage({
      wim: join(folder, "image.wim"), index, target: dataRoot, signal,
      onProgress: ({ phase, percent }) => run.progress({ label: labels[phase], done: percent, total: 100, unit: "percent" }),
    });
    run.output(`applied image ${index} of ${image.name}`);
    return {};
  },
});

const labels = { clear: "Clearing the volume", apply: "Applying the operating system", sync: "Writing everything to the disk" };
