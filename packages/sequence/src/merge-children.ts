import { createHash } from "node:crypto";
import { SequenceError } from "./error.ts";
import { allSteps, taskSequenceSchema } from "./schema.ts";
import type { Step, TaskSequence } from "./schema.ts";
import { runTaskSequenceStep } from "./steps/index.ts";

/** Sequences in sequences, at most. */
const deepest = 10;
/** Steps and groups of a merged sequence, at most: the engine looks at all of them for each. */
const mostSteps = 20_000;

/** The task sequences whose steps run in this one, each once; the children of children are not looked for. Disabled steps name none. */
export function childReferences(sequence: { steps: readonly Step[] }): string[] {
  return [...new Set([...enabled(sequence.steps)].flatMap((step) => childOf(step) ?? []))];
}

function* enabled(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.disabled === true) continue;
    yield step;
    if (step.steps !== undefined) yield* enabled(step.steps);
  }
}

/** Undefined for any other step. @throws SequenceError PRESTAGE_SEQUENCE_CHILD */
function childOf(step: Step): string | undefined {
  if (step.type !== runTaskSequenceStep.type) return undefined;
  const settings = runTaskSequenceStep.settings.safeParse(step.with);
  if (!settings.success) throw refused(`the step ${JSON.stringify(step.name)} to name a task sequence by its id`, JSON.stringify(step.with ?? {}));
  if (step.retry !== undefined || step.once !== undefined || step.timeLimitMinutes !== undefined || step.secrets !== undefined) throw refused(`the step ${JSON.stringify(step.name)} without retry, once, timeLimitMinutes and secrets: give them to the steps of its task sequence`, "one of them");
  return settings.data.taskSequence;
}

/**
 * The sequence with the steps of its children in it, as groups (features.md F186: merged into one policy, variables are shared). A child's steps keep
 * their ids behind that of the step that runs it, so that one child may run twice. `find`: a sequence of the site by its id.
 * @throws SequenceError PRESTAGE_SEQUENCE_CHILD
 */
export async function mergeChildren(sequence: TaskSequence, find: (id: string) => Promise<TaskSequence | undefined>): Promise<TaskSequence> {
  let count = 0;
  const merge = async (steps: readonly Step[], prefix: string, open: readonly string[], /** A group that is disabled. */ within = false): Promise<Step[]> => {
    const merged: Step[] = [];
    for (const step of steps) {
      if (++count > mostSteps) throw refused(`at most ${mostSteps} steps with all children`, "more");
      const id = prefixed(prefix, step.id);
      const off = within || step.disabled === true;
      const child = off ? undefined : childOf(step);
      if (child === undefined) {
        merged.push({ ...step, id, ...(step.steps !== undefined && { steps: await merge(step.steps, prefix, open, off) }) });
        continue;
      }
      if (open.includes(child)) throw refused("task sequences that do not run themselves", [...open, child].join(" runs "));
      if (open.length >= deepest) throw refused(`at most ${deepest} task sequences in one another`, "more");
      const found = await find(child);
      if (found === undefined) throw refused(`a task sequence ${child}, which the step ${JSON.stringify(step.name)} runs`, "none");
      const { with: _, type: _type, ...rest } = step;
      merged.push({ ...rest, id, type: "group", steps: await merge(found.steps, id, [...open, child]) });
    }
    return merged;
  };
  if ([...allSteps(sequence.steps)].every((step) => step.type !== runTaskSequenceStep.type)) return sequence;
  const parsed = taskSequenceSchema.safeParse({ ...sequence, steps: await merge(sequence.steps, "", sequence.id === undefined ? [] : [sequence.id]) });
  if (parsed.success) return parsed.data;
  throw refused("a task sequence that is one with its children in it, too: ids are apart", parsed.error.issues.slice(0, 5).map((issue) => issue.message).join("; "));
}

/** An id has 128 characters at most; a longer one ends in a hash of the whole. */
function prefixed(prefix: string, id: string): string {
  const whole = prefix === "" ? id : `${prefix}.${id}`;
  return whole.length <= 128 ? whole : `${whole.slice(0, 95)}-${createHash("sha256").update(whole).digest("hex").slice(0, 32)}`;
}

function refused(expected: string, found: string): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_CHILD", `Expected ${expected}; found ${found}.`);
}
