import type { Step } from "../schema.ts";
import type { Variables } from "../variables.ts";
import { isForm } from "./not-known.ts";
import type { NotKnown } from "./not-known.ts";

/** What was known when something came to be in doubt. */
export interface Moment { variables: Variables; notKnown: NotKnown }

/**
 * Why what is in a group may not be run: the group's own condition is open, or a step in it may fail and end it. `moments`: what is known where it is not run, or ends early.
 */
export interface Doubt { why: string; moments: readonly Moment[]; entered: boolean; mayFail: boolean }

/** The doubts of each group that is being run, by its id; of the sequence itself, by "". */
export class Doubts {
  readonly #parents = new Map<string, string>();
  readonly #found = new Map<string, Doubt>();

  constructor(steps: readonly Step[]) {
    const visit = (inside: readonly Step[], parent: string): void => {
      for (const step of inside) {
        this.#parents.set(step.id, parent);
        if (step.steps !== undefined) visit(step.steps, step.id);
      }
    };
    visit(steps, "");
  }

  /** A group that is entered only where its condition turns out to hold. */
  enter(id: string, why: string, before: Moment): void {
    this.#found.set(id, { why, moments: [before], entered: true, mayFail: false });
  }

  /** What is in a step may fail, and with it, step by step, what it is in: the rest of the group is run only where it does not. */
  mayFail(step: Pick<Step, "id" | "name" | "continueOnError">, there: Moment): void {
    if (step.continueOnError === true) return;
    const parent = this.#parents.get(step.id) ?? "";
    const known = this.#found.get(parent);
    this.#found.set(parent, known === undefined ? { why: `where ${JSON.stringify(step.name)} does not fail`, moments: [there], entered: false, mayFail: true } : { ...known, moments: [...known.moments, there], mayFail: true });
  }

  /** The group is left. */
  leave(id: string): Doubt | undefined {
    const doubt = this.#found.get(id);
    this.#found.delete(id);
    return doubt;
  }

  of(id: string): Doubt | undefined {
    return this.#found.get(id);
  }

  /** Why a step may not be come to; the outermost doubt. */
  about(id: string): string | undefined {
    const found: string[] = [];
    for (let parent = this.#parents.get(id); parent !== undefined; parent = this.#parents.get(parent)) {
      const doubt = this.#found.get(parent);
      if (doubt !== undefined) found.push(doubt.why);
    }
    return found.length === 0 ? undefined : found.toReversed().join(", ");
  }
}

/** The names whose values are not as they were: what is set in doubt is known to nobody before the run. */
export function changedSince({ variables, notKnown }: Moment, now: Moment): string[] {
  const keys = new Set([...variables.keys(), ...now.variables.keys(), ...notKnown.keys(), ...now.notKnown.keys()]);
  return [...keys].filter((key) => !isForm(key)).filter((key) => variables.get(key)?.value !== now.variables.get(key)?.value || notKnown.has(key) !== now.notKnown.has(key));
}
