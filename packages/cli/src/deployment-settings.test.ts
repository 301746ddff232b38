import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAssignment, settingsOf } from "./deployment-settings.ts";

const code = "PRESTAGE_CLI_BAD_ARGUMENT";

test("an assignment is a time, or a time and how often", () => {
  assert.deepEqual(parseAssignment("2026-12-01T20:00:00+01:00"), { at: "2026-12-01T20:00:00+01:00" });
  assert.deepEqual(parseAssignment("2026-12-01T20:00:00Z every 2 weeks"), { from: "2026-12-01T20:00:00Z", every: 2, unit: "weeks" });
  assert.deepEqual(parseAssignment(" 2026-12-01T20:00:00Z every month "), { from: "2026-12-01T20:00:00Z", every: 1, unit: "months" });
  for (const wrong of ["", "soon", "every 2 weeks", "2026-12-01T20:00:00Z every 2 fortnights", "2026-12-01T20:00:00Z 2 weeks", "2026-13-01T20:00:00Z"]) assert.throws(() => parseAssignment(wrong), { code }, wrong);
});

test("now alone is as soon as possible; beside others it is this moment", () => {
  assert.deepEqual(settingsOf({ assignment: ["now"] }), { assignments: [] });
  const [, now] = settingsOf({ assignment: ["2026-12-01T20:00:00Z", "now"] }).assignments ?? [];
  assert.ok(now !== undefined && "at" in now && Math.abs(Date.parse(now.at) - Date.now()) < 60_000);
});

test("a headline goes with three texts, and with none of them nothing is changed", () => {
  assert.deepEqual(settingsOf({}), {});
  assert.deepEqual(settingsOf({ headline: "H", text: ["a", "b", "c"] }), { highImpact: { headline: "H", texts: ["a", "b", "c"] } });
  assert.deepEqual(settingsOf({ headline: "none" }), { highImpact: null });
  for (const wrong of [{ headline: "H" }, { text: ["a", "b", "c"] }, { headline: "H", text: ["a", "b"] }, { headline: "H", text: ["a", "b", "c", "d"] }]) assert.throws(() => settingsOf(wrong), { code }, JSON.stringify(wrong));
});

test("alerts are percentages, with a time where one is asked for", () => {
  assert.deepEqual(settingsOf({ alertSuccess: "90 by 2026-12-24T12:00:00Z", alertFailure: "5%" }), { alerts: { successBelow: { percent: 90, by: "2026-12-24T12:00:00Z" }, failureAbove: 5 } });
  assert.deepEqual(settingsOf({ alertSuccess: "none", alertFailure: "none" }), { alerts: { successBelow: null, failureAbove: null } });
  for (const wrong of [{ alertSuccess: "90" }, { alertSuccess: "90 by Christmas" }, { alertFailure: "many" }, { alertFailure: "101" }]) assert.throws(() => settingsOf(wrong), { code }, JSON.stringify(wrong));
});
