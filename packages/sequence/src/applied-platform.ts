import { contentReferences } from "./content-references.ts";
import type { Step, TaskSequence } from "./schema.ts";
import type { Platform } from "./steps/index.ts";

/**
 * The platform of the system a sequence leaves behind, as its apply-os-image steps say: images that other steps name, such as
 * apply-data-image's, say nothing of it. Undefined where there is none, where two are not alike, and where only the run knows which.
 */
export function appliedPlatform(sequence: TaskSequence, platformOf: (objectId: string) => Platform | undefined): Platform | undefined {
  const platforms = new Set([...applySteps(sequence.steps)].map((step) => {
    const [image] = contentReferences({ name: "", steps: [step] }).filter(({ kind }) => kind === "os-image");
    return image && platformOf(image.objectId);
  }));
  return platforms.size === 1 ? [...platforms][0] : undefined;
}

function* applySteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.disabled === true) continue;
    if (step.type === "apply-os-image") yield step;
    if (step.steps !== undefined) yield* applySteps(step.steps);
  }
}
