import assert from "node:assert/strict";
import { test } from "node:test";
import type { Assignment } from "@prestage/contract";
import { reruns } from "@prestage/contract";
import fc from "fast-check";
import { latestOccurrence, nextOccurrence, whenDue } from "./due.ts";
import type { RecordedRun } from "./due.ts";

const instant = fc.date({ min: new Date("2020-01-01T00:00:00Z"), max: new Date("2040-01-01T00:00:00Z"), noInvalidDate: true });
const recurring = fc.record({ from: instant.map((date) => date.toISOString()), every: fc.integer({ min: 1, max: 999 }), unit: fc.constantFrom("hours" as const, "days" as const, "weeks" as const, "months" as const) });
const assignment: fc.Arbitrary<Assignment> = fc.oneof(recurring, instant.map((date) => ({ at: date.toISOString() })));
const run: fc.Arbitrary<RecordedRun> = fc.record({ started: instant, outcome: fc.constantFrom("succeeded", "failed", null) });
const settings = fc.record({ assignments: fc.array(assignment, { maxLength: 4 }), rerun: fc.constantFrom(...reruns) });
const at = (text: string) => new Date(text);

test("the latest occurrence is not after now, the next is, and no occurrence lies between them", () => {
  fc.assert(fc.property(assignment, instant, (one, now) => {
    const [latest, next] = [latestOccurrence(one, now), nextOccurrence(one, now)];
    if (latest !== undefined) assert.ok(latest <= now);
    if (next !== undefined) assert.ok(next > now);
    assert.ok(latest !== undefined || next !== undefined);
    if (latest === undefined || next === undefined) return;
    assert.equal(nextOccurrence(one, latest)?.getTime(), next.getTime());
    assert.equal(latestOccurrence(one, new Date(next.getTime() - 1))?.getTime(), latest.getTime());
    assert.equal(latestOccurrence(one, next)?.getTime(), next.getTime());
  }));
});

test("nothing is due before the first assignment; without assignments it is due from the beginning", () => {
  fc.assert(fc.property(settings, fc.array(run, { maxLength: 3 }), instant, ({ assignments, rerun }, runs, now) => {
    const later = assignments.filter((one) => latestOccurrence(one, now) === undefined);
    if (later.length > 0) {
      const { due, next } = whenDue({ assignments: later, rerun }, runs, now);
      assert.equal(due, false);
      assert.ok(next !== undefined && next > now);
    }
    assert.equal(whenDue({ assignments: [], rerun }, [], now).due, true);
  }));
});

test("never runs once, always runs on, and the others ask the last run", () => {
  fc.assert(fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), instant, (runs, now) => {
    const last = runs.toSorted((a, b) => b.started.getTime() - a.started.getTime())[0];
    const due = (rerun: (typeof reruns)[number]) => whenDue({ assignments: [], rerun }, runs, now).due;
    assert.deepEqual([due("always"), due("never")], [true, false]);
    if (runs.filter((one) => one.started.getTime() === last?.started.getTime()).length > 1) return;
    assert.deepEqual([due("if-failed"), due("if-succeeded")], [last?.outcome !== "succeeded", last?.outcome === "succeeded"]);
  }));
});

test("a recurring assignment is due once for each occurrence: after a run it is not until the next", () => {
  fc.assert(fc.property(fc.array(recurring, { minLength: 1, maxLength: 3 }), instant, (assignments, now) => {
    const due = (runs: RecordedRun[], when = now) => whenDue({ assignments, rerun: "always" }, runs, when);
    if (!due([]).due) return;
    const { next } = due([]);
    const ran: RecordedRun[] = [{ started: now, outcome: "succeeded" }];
    assert.equal(due(ran).due, false);
    assert.ok(next !== undefined);
    assert.equal(due(ran, new Date(next.getTime() - 1)).due, false);
    assert.equal(due(ran, next).due, true);
    assert.equal(due([{ started: now, outcome: "failed" }]).due, false, "a failed run is the occurrence's, too");
  }));
});

test("a run more never makes due what was not, but for if-succeeded", () => {
  fc.assert(fc.property(settings, fc.array(run, { maxLength: 3 }), run, instant, ({ assignments, rerun }, runs, more, now) => {
    if (rerun === "if-succeeded" || rerun === "if-failed") return;
    if (!whenDue({ assignments, rerun }, runs, now).due) assert.equal(whenDue({ assignments, rerun }, [...runs, more], now).due, false);
  }));
});

test("months are the calendar's, in UTC", () => {
  const monthly = { from: "2027-01-31T22:00:00Z", every: 1, unit: "months" as const };
  assert.deepEqual(nextOccurrence(monthly, at("2027-01-31T22:00:00Z")), at("2027-02-28T22:00:00Z"));
  assert.deepEqual(nextOccurrence(monthly, at("2027-02-28T22:00:00Z")), at("2027-03-31T22:00:00Z"));
  assert.deepEqual(latestOccurrence({ ...monthly, every: 12 }, at("2029-01-31T21:59:59Z")), at("2028-01-31T22:00:00Z"));
  assert.deepEqual(latestOccurrence({ from: "2028-02-29T00:00:00+02:00", every: 2, unit: "weeks" }, at("2028-03-13T22:00:00Z")), at("2028-03-13T22:00:00Z"));
});
