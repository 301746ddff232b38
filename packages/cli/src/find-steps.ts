import type { Condition, Step, TaskSequence } from "@prestage/sequence";
import { contentReferences } from "@prestage/sequence";

/** Where a text is looked for, as in the reference's editor (features.md F171). */
export const findScopes = ["step-name", "step-description", "step-type", "group-name", "group-description", "variable", "condition", "content", "settings"] as const;
export type FindScope = (typeof findScopes)[number];
export interface FoundStep { id: string; name: string; type: string; path: string[]; /** Where the text stands. */ scopes: FindScope[] }
export interface FindFilter { continueOnError?: boolean; withConditions?: boolean }

/**
 * The steps and groups of a sequence in which a text stands, in any letter case, in one of these places; an empty text stands everywhere.
 * Disabled ones are found too.
 */
export function findSteps(sequence: TaskSequence, text: string, scopes: readonly FindScope[] = findScopes, filter: FindFilter = {}): FoundStep[] {
  const found: FoundStep[] = [];
  const sought = text.toLowerCase();
  const visit = (steps: readonly Step[], path: readonly string[]): void => {
    for (const step of steps) {
      const passes = (filter.continueOnError !== true || step.continueOnError === true) && (filter.withConditions !== true || step.when !== undefined);
      const where = passes ? scopes.filter((scope) => textsOf(step, scope).some((one) => one.toLowerCase().includes(sought))) : [];
      if (where.length > 0) found.push({ id: step.id, name: step.name, type: step.type, path: [...path], scopes: where });
      visit(step.steps ?? [], [...path, step.name]);
    }
  };
  visit(sequence.steps, []);
  return found;
}

/** What a step says in one of the places. */
function textsOf(step: Step, scope: FindScope): string[] {
  const group = step.type === "group";
  switch (scope) {
    case "step-name":
      return group ? [] : [step.name];
    case "step-description":
      return group ? [] : texts(step.description);
    case "step-type":
      return group ? [] : [step.type];
    case "group-name":
      return group ? [step.name] : [];
    case "group-description":
      return group ? texts(step.description) : [];
    case "variable":
      return [...new Set([...texts(step.with).flatMap((one) => [...one.matchAll(/%([A-Za-z_][A-Za-z0-9_.-]*)%/g)].map((match) => match[1] ?? "")), ...variablesSet(step), ...variablesAsked(step.when)])];
    case "condition":
      return step.when === undefined ? [] : [JSON.stringify(step.when), ...texts(step.when)];
    case "content": {
      const alone = { name: step.name, steps: [{ ...step, disabled: false, steps: undefined }] } satisfies TaskSequence;
      return contentReferences(alone).map(({ objectId }) => objectId);
    }
    case "settings":
      return texts(step.with);
  }
}

/** Every text in a value, however deep. */
function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number" || typeof value === "boolean") return [String(value)];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : [];
}

function variablesSet({ type, with: settings = {} }: Step): string[] {
  const named = ["outputVariable", "variable", "baseVariable", ...(type === "set-variable" ? ["name"] : [])];
  return named.flatMap((key) => (typeof settings[key] === "string" ? [settings[key]] : []));
}

function variablesAsked(condition: Condition | undefined): string[] {
  if (condition === undefined) return [];
  if ("variable" in condition) return [condition.variable];
  const parts = "all" in condition ? condition.all : "any" in condition ? condition.any : "none" in condition ? condition.none : [];
  return parts.flatMap(variablesAsked);
}
