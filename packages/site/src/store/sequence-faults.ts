import { lintedObject } from "@prestage/contract";
import { appliedPlatform, certainFailures, contentReferences, diskVariable, SequenceError } from "@prestage/sequence";
import type { LintKnowledge } from "@prestage/sequence";
import type { Database } from "../database/open-database.ts";
import { SiteError } from "../error.ts";
import type { DeploymentTarget } from "./high-risk.ts";
import { listObjects } from "./objects.ts";
import type { ObjectRevision } from "./objects.ts";
import { listSecrets } from "./secrets.ts";
import { mergedNow } from "./sequences.ts";
import type { StoredSequence } from "./sequences.ts";
import { valuesGiven } from "./values-given.ts";

const mostNamed = 10;

/**
 * A sequence that names what is not there, or that fails in every run at every computer it is deployed to, is not deployed (features.md F137, F169).
 * @throws SiteError PRESTAGE_SITE_SEQUENCE_BROKEN, which names each
 */
export async function requireWhole(db: Database, stored: StoredSequence, target: DeploymentTarget): Promise<void> {
  const faults = await sequenceFaults(db, stored, target);
  if (faults.length === 0) return;
  const more = faults.length > mostNamed ? ` and ${faults.length - mostNamed} more` : "";
  throw new SiteError("PRESTAGE_SITE_SEQUENCE_BROKEN", `Expected a task sequence that can run to its end; ${stored.record.name} (${stored.record.id}) cannot: ${faults.slice(0, mostNamed).join("; ")}${more}. Correct or disable these steps; \`prestage sequence lint ${stored.record.id}\` says more.`);
}

/** Each in words; none: it may be deployed. */
export async function sequenceFaults(db: Database, stored: StoredSequence, target: DeploymentTarget): Promise<string[]> {
  const merged = await mergedNow(db, stored).catch((cause: unknown) => {
    if (cause instanceof SequenceError) return cause;
    throw cause;
  });
  if (merged instanceof SequenceError) return [merged.message];
  const objects = new Map((await listObjects(db)).map((object) => [object.id, object]));
  const references = contentReferences(merged).map(({ objectId }) => objectId);
  const platform = appliedPlatform(merged, (id) => platformOf(objects.get(id)));
  const knowledge: LintKnowledge = { objects: new Map([...objects].map(([id, object]) => [id, lintedObject(object)])), secrets: (await listSecrets(db)).map(({ name }) => name), given: await valuesGiven(db, target, diskVariable), ...(platform !== undefined && { platform }) };
  const inSteps = certainFailures(merged, knowledge).map(({ step, message }) => (step === undefined ? message : `the step ${JSON.stringify(step.name)}: ${message.replace(/\.$/, "")}`));
  return [...inSteps, ...missingDependencies(references, objects)];
}

function platformOf(object: ObjectRevision | undefined): "linux" | "windows" | undefined {
  return object?.definition.kind === "os-image" ? object.definition.platform : undefined;
}

/** What applications depend on or supersede, and the site does not have any more. */
function missingDependencies(references: readonly string[], objects: ReadonlyMap<string, ObjectRevision>): string[] {
  const missing: string[] = [];
  const seen = new Set(references);
  for (const id of seen) {
    const object = objects.get(id);
    if (object?.definition.kind !== "application") continue;
    for (const needed of [...object.definition.dependencies, ...(object.definition.supersedes ?? [])]) {
      if (!objects.has(needed)) missing.push(`the application ${object.name} (${id}) needs ${needed}, which the site does not have`);
      else seen.add(needed);
    }
  }
  return missing;
}
