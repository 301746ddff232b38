import type { Step, TaskSequence } from "./schema.ts";

export type ReferencedKind = "os-image" | "boot-image" | "application" | "package" | "driver-package";
export interface ContentReference { objectId: string; kind: ReferencedKind }

/** Settings that name content, whatever the step: a step that uses these keys needs no word here. */
export const referenceKeys: Readonly<Record<string, ReferencedKind>> = {
  osImage: "os-image", bootImage: "boot-image", application: "application", applications: "application", package: "package", packages: "package", driverPackage: "driver-package",
};

const objectId = /^\{?([A-Z0-9]{3}[0-9A-F]{5})\}?$/;

/** The content a sequence names, each once, in the order of the steps. What is disabled needs none; what a variable names is known only when it runs. */
export function contentReferences(sequence: TaskSequence): ContentReference[] {
  const found = new Map<string, ContentReference>();
  for (const step of enabledSteps(sequence.steps)) {
    for (const [key, value] of Object.entries(step.with ?? {})) {
      const kind = Object.hasOwn(referenceKeys, key) ? referenceKeys[key] : undefined;
      if (kind === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) {
        const id = typeof one === "string" ? objectId.exec(one)?.[1] : undefined;
        if (id !== undefined && !found.has(id)) found.set(id, { objectId: id, kind });
      }
    }
  }
  return [...found.values()];
}

function* enabledSteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.disabled === true) continue;
    yield step;
    if (step.steps !== undefined) yield* enabledSteps(step.steps);
  }
}
