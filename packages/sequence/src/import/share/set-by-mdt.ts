import type { StepInput } from "../../schema.ts";
import type { SourceSequence } from "../source-sequence.ts";
import { firstPhase } from "../steps/translators-mdt.ts";
import { needsASystem } from "../where-it-starts.ts";

/** What MDT sets before the first step, where the sequence asks for it: for a new computer, or for one that has its system. */
export function setByMdt(source: SourceSequence, used: ReadonlySet<string>): StepInput[] {
  const values = needsASystem(source.nodes) ? [["PHASE", firstPhase(source.nodes) ?? "VALIDATION"], ["DeploymentType", "CUSTOM"]] : [["PHASE", "PREINSTALL"], ["DeploymentType", "NEWCOMPUTER"]];
  const steps = [...values, ["DeploymentMethod", "MEDIA"]].filter(([name = ""]) => used.has(name.toLowerCase()));
  if (steps.length === 0) return [];
  return [{ id: "set-by-mdt", name: "What MDT sets before the first step", type: "group", steps: steps.map(([name = "", value = ""]) => ({ id: `set-by-mdt-${name.toLowerCase()}`, name, type: "set-variable", with: { name, value } })) }];
}
