import type { Step, TaskSequence } from "./schema.ts";

/** How one step differs; `at`: the names of the groups it is in and its own, in the newer sequence (in the older one where it was removed). */
export interface StepDifference {
  id: string;
  at: string[];
  kind: "added" | "removed" | "moved" | "changed";
  /** What of it changed: `with.command`, `when`, `name` and so on. */
  changes: { what: string; from: unknown; to: unknown }[];
}

export interface SequenceDifference { changes: { what: string; from: unknown; to: unknown }[]; steps: StepDifference[] }

interface Placed { step: Step; at: string[]; parent: string; index: number }

/** What a newer sequence does otherwise: steps are the same where their ids are. In the order of the newer one, what was removed last. */
export function diffSequences(older: TaskSequence, newer: TaskSequence): SequenceDifference {
  const [before, after] = [placed(older.steps), placed(newer.steps)];
  const steps: StepDifference[] = [];
  for (const [id, { step, at, parent }] of after) {
    const was = before.get(id);
    if (was === undefined) steps.push({ id, at, kind: "added", changes: [] });
    else {
      const changes = differences(plain(was.step), plain(step));
      if (was.parent !== parent || isBehindAnother(id, was, before, after)) steps.push({ id, at, kind: "moved", changes });
      else if (changes.length > 0) steps.push({ id, at, kind: "changed", changes });
    }
  }
  for (const [id, { at }] of before) if (!after.has(id)) steps.push({ id, at, kind: "removed", changes: [] });
  const own = ({ name, description, maximumRunMinutes }: TaskSequence) => ({ name, ...(description !== undefined && { description }), ...(maximumRunMinutes !== undefined && { maximumRunMinutes }) });
  return { changes: differences(own(older), own(newer)), steps };
}

function placed(steps: readonly Step[]): Map<string, Placed> {
  const found = new Map<string, Placed>();
  const visit = (list: readonly Step[], at: string[], parent: string): void => {
    for (const [index, step] of list.entries()) {
      found.set(step.id, { step, at: [...at, step.name], parent, index });
      visit(step.steps ?? [], [...at, step.name], step.id);
    }
  };
  visit(steps, [], "");
  return found;
}

/** Whether the step right before it, of those in both, is another one now. */
function isBehindAnother(id: string, was: Placed, before: ReadonlyMap<string, Placed>, after: ReadonlyMap<string, Placed>): boolean {
  const now = after.get(id);
  const predecessor = (in_: ReadonlyMap<string, Placed>, of: Placed, other: ReadonlyMap<string, Placed>) =>
    [...in_].filter(([one, place]) => place.parent === of.parent && place.index < of.index && other.get(one)?.parent === of.parent).at(-1)?.[0];
  return now !== undefined && predecessor(before, was, after) !== predecessor(after, now, before);
}

/** Everything of a step but its place and what is in it. */
function plain({ id: _id, steps: _steps, ...rest }: Step): Record<string, unknown> {
  return rest;
}

function differences(from: unknown, to: unknown, what = ""): SequenceDifference["changes"] {
  if (JSON.stringify(from) === JSON.stringify(to)) return [];
  const inside = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
  // A condition is one thing to a reader.
  if (!inside(from) || !inside(to) || what === "when") return [{ what, from, to }];
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((name) => differences(from[name], to[name], what === "" ? name : `${what}.${name}`));
}
