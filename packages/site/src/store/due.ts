import type { Assignment, Rerun } from "@prestage/contract";

/** A run as the site recorded it; `outcome` null where its end was not heard of. */
export interface RecordedRun { started: Date; outcome: string | null }

/** Whether a required deployment is to run by itself now; if not, when it next may be. */
export interface Due { due: boolean; next: Date | undefined }

/**
 * Decides for one device (features.md F151, F153). Without assignments it is due at each start of the media, from one on likewise; a recurring one
 * asks for one run per occurrence. What may not run again by itself is still offered: a person may choose it.
 */
export function whenDue(settings: { assignments: readonly Assignment[]; rerun: Rerun }, runs: readonly RecordedRun[], now: Date): Due {
  const { assignments, rerun } = settings;
  const next = earliest(assignments.flatMap((assignment) => nextOccurrence(assignment, now) ?? []));
  const latest = assignments.length === 0 ? new Date(0) : earliest(assignments.flatMap((assignment) => latestOccurrence(assignment, now) ?? []), -1);
  if (latest === undefined || !mayRunAgain(rerun, runs)) return { due: false, next };
  const recurring = assignments.some((assignment) => "every" in assignment);
  return { due: !recurring || !runs.some((run) => run.started >= latest), next };
}

/** A run whose end was not heard of counts as one that failed: the computer asks again, so it did not get through. */
function mayRunAgain(rerun: Rerun, runs: readonly RecordedRun[]): boolean {
  const last = runs.toSorted((a, b) => b.started.getTime() - a.started.getTime())[0];
  if (last === undefined) return true;
  switch (rerun) {
    case "always":
      return true;
    case "never":
      return false;
    case "if-failed":
      return last.outcome !== "succeeded";
    case "if-succeeded":
      return last.outcome === "succeeded";
  }
}

/** The last moment at or before `now` at which an assignment is due. */
export function latestOccurrence(assignment: Assignment, now: Date): Date | undefined {
  const first = new Date("at" in assignment ? assignment.at : assignment.from);
  if (first > now) return undefined;
  return "at" in assignment ? first : occurrence(first, assignment, countUntil(first, assignment, now));
}

/** The first moment after `now` at which an assignment is due. */
export function nextOccurrence(assignment: Assignment, now: Date): Date | undefined {
  const first = new Date("at" in assignment ? assignment.at : assignment.from);
  if (first > now) return first;
  return "at" in assignment ? undefined : occurrence(first, assignment, countUntil(first, assignment, now) + 1);
}

type Recurring = Extract<Assignment, { every: number }>;
const unitMs = { hours: 3_600_000, days: 86_400_000, weeks: 7 * 86_400_000 } as const;

/** How many occurrences after the first lie at or before `now`. */
function countUntil(first: Date, { every, unit }: Recurring, now: Date): number {
  if (unit !== "months") return Math.floor((now.getTime() - first.getTime()) / (every * unitMs[unit]));
  const months = (now.getUTCFullYear() - first.getUTCFullYear()) * 12 + now.getUTCMonth() - first.getUTCMonth();
  const count = Math.floor(months / every);
  return occurrence(first, { every, unit }, count) > now ? count - 1 : count;
}

/** Months are the calendar's: the 31st is the last day where a month has fewer. */
function occurrence(first: Date, { every, unit }: Pick<Recurring, "every" | "unit">, count: number): Date {
  if (unit !== "months") return new Date(first.getTime() + count * every * unitMs[unit]);
  const month = first.getUTCMonth() + count * every;
  const lastDay = new Date(Date.UTC(first.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const moved = new Date(first);
  moved.setUTCFullYear(first.getUTCFullYear(), month, Math.min(first.getUTCDate(), lastDay));
  return moved;
}

/** The earliest of some moments, with `sign` -1 the latest. */
function earliest(moments: readonly Date[], sign = 1): Date | undefined {
  return moments.toSorted((a, b) => sign * (a.getTime() - b.getTime()))[0];
}
