import type { Step, TaskSequence } from "./schema.ts";

export type ReferencedKind = "os-image" | "boot-image" | "application" | "package" | "driver-package";
export interface ContentReference { objectId: string; kind: ReferencedKind }

/** Settings that name content, whatever the step: a step that uses these keys needs no word here. */
export const referenceKeys: Readonly<Record<string, ReferencedKind>> = {
  osImage: "os-image", bootImage: "boot-image", application: "application", applications: "application", package: "package", packages: "package", driverPackage: "driver-package", driverPackages: "driver-package",
};

const objectId = /^\{?([A-Z0-9]{3}[0-9A-F]{5})\}?$/;

/** The value of a variable of a dynamic list: an object's id, for a package with its program after a colon. */
export const listedReference = /^\{?([A-Z0-9]{3}[0-9A-F]{5})\}?(?::(.{1,50}))?$/;
const mostListed = 100;

/** NAME01, NAME02 ... or NAME001 ...: the values of a dynamic list, to the first that is not set (features.md F231, F233). */
export function listedValues(base: string, digits: 2 | 3, valueOf: (name: string) => string | undefined): string[] {
  const values: string[] = [];
  while (values.length < mostListed) {
    const value = valueOf(`${base}${String(values.length + 1).padStart(digits, "0")}`);
    if (value === undefined || value === "") break;
    values.push(value);
  }
  return values;
}

/** What variables of a sequence's dynamic lists name. */
export function listedContent(bases: readonly string[], variables: Iterable<{ name: string; value: string }>): ContentReference[] {
  const lower = bases.map((base) => base.toLowerCase());
  const found = [...variables].filter(({ name }) => lower.some((base) => name.toLowerCase().startsWith(base) && /^\d{2,3}$/.test(name.slice(base.length))));
  return found.flatMap(({ value }) => {
    const [, objectId, program] = listedReference.exec(value.trim()) ?? [];
    return objectId === undefined ? [] : [{ objectId, kind: program === undefined ? "application" as const : "package" as const }];
  });
}

/** The names of the dynamic lists a sequence's enabled steps install from. */
export function listBases(sequence: TaskSequence): string[] {
  return [...new Set([...enabledSteps(sequence.steps)].map((step) => step.with?.["baseVariable"]).filter((name) => typeof name === "string"))];
}

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
