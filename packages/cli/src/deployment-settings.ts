import type { AlertSettings, Assignment, Deployment, HighImpact, Rerun } from "@prestage/contract";
import { optionalText, texts } from "./command.ts";
import { CliError } from "./error.ts";
import { table } from "./output.ts";

/** How a deployment runs: when, again or not, with which words before it, and what raises an alert. */
export const settingsFlags = {
  assignment: texts("A required deployment runs from TIME on; also TIME every 2 weeks (hours, days, weeks, months, by UTC's calendar), may be repeated; now: as soon as possible. Before, it is offered as available", "TIME"),
  rerun: { kind: "enum", values: ["always", "never", "if-failed", "if-succeeded"], optional: true, brief: "Whether a computer that has run it runs it again by itself; always where it is not given" },
  headline: optionalText("Shown at the computer before a required deployment of an operating system begins; with three --text", "TEXT"),
  text: texts("One of the three texts below the headline", "TEXT"),
  alertSuccess: optionalText("Alert when fewer than 90 % have succeeded by then: 90 by TIME; none: no such alert", "PERCENT by TIME"),
  alertFailure: optionalText("Alert when more than this have failed, in percent; none: no such alert", "PERCENT"),
} as const;
export type SettingsFlags = { assignment?: readonly string[]; rerun?: Rerun; headline?: string; text?: readonly string[]; alertSuccess?: string; alertFailure?: string };

/** What of these flags was given, as the site asks for it. */
export function settingsOf(flags: SettingsFlags): { assignments?: Assignment[]; rerun?: Rerun; highImpact?: HighImpact | null; alerts?: Partial<AlertSettings> } {
  const highImpact = highImpactOf(flags.headline, flags.text ?? []);
  const alerts: Partial<AlertSettings> = { ...(flags.alertSuccess !== undefined && { successBelow: successOf(flags.alertSuccess) }), ...(flags.alertFailure !== undefined && { failureAbove: flags.alertFailure === "none" ? null : percent(flags.alertFailure) }) };
  return {
    ...(flags.assignment && { assignments: flags.assignment.length === 1 && flags.assignment[0] === "now" ? [] : flags.assignment.map(parseAssignment) }),
    ...(flags.rerun && { rerun: flags.rerun }), ...(highImpact !== undefined && { highImpact }), ...(Object.keys(alerts).length > 0 && { alerts }),
  };
}

/** TIME, or TIME every NUMBER hours, days, weeks or months; `now` beside others is this moment. */
export function parseAssignment(text: string): Assignment {
  const [, time = "", every, unit] = /^(\S+)(?:\s+every\s+(?:(\d{1,3})\s+)?(hour|day|week|month)s?)?$/.exec(text.trim()) ?? [];
  const instant = time === "now" ? new Date().toISOString() : time;
  if (Number.isNaN(Date.parse(instant))) throw bad(`an assignment such as 2026-12-01T20:00:00Z or "2026-12-01T20:00:00Z every 2 weeks"`, text);
  return unit === undefined ? { at: instant } : { from: instant, every: Number(every ?? 1), unit: `${unit}s` as "hours" | "days" | "weeks" | "months" };
}

function highImpactOf(headline: string | undefined, given: readonly string[]): HighImpact | null | undefined {
  if (headline === undefined && given.length === 0) return undefined;
  if (headline === "none" && given.length === 0) return null;
  const [first, second, third, ...more] = given;
  if (headline === undefined || first === undefined || second === undefined || third === undefined || more.length > 0) throw bad("--headline and three --text, all of them (--headline none takes them off)", `${headline === undefined ? "no headline" : "a headline"} and ${given.length} texts`);
  return { headline, texts: [first, second, third] };
}

function successOf(text: string): AlertSettings["successBelow"] {
  if (text === "none") return null;
  const [, number = "", by = ""] = /^(\d{1,3})\s*%?\s+by\s+(\S+)$/.exec(text.trim()) ?? [];
  if (Number.isNaN(Date.parse(by))) throw bad('a percentage and a time, such as "90 by 2026-12-24T12:00:00Z"', text);
  return { percent: percent(number), by };
}

function percent(text: string): number {
  const [, number] = /^(\d{1,3})\s*%?$/.exec(text.trim()) ?? [];
  if (number === undefined || Number(number) > 100) throw bad("a percentage from 0 to 100", text);
  return Number(number);
}

function bad(expected: string, found: string): CliError {
  return new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected ${expected}; found ${JSON.stringify(found)}.`);
}

function assignmentText(one: Assignment): string {
  return "at" in one ? one.at : `${one.from} every ${one.every === 1 ? one.unit.slice(0, -1) : `${one.every} ${one.unit}`}`;
}

/** How its computers do, in a few words. */
export function computersText({ reached, succeeded, failed, running, overdue }: Deployment["computers"]): string {
  return [`${succeeded} of ${reached} succeeded`, ...(failed > 0 ? [`${failed} failed`] : []), ...(running > 0 ? [`${running} running${overdue > 0 ? `, ${overdue} of them overdue` : ""}`] : [])].join(", ");
}

/** Everything a deployment says, a line for each setting. */
export function deploymentText(d: Deployment): string {
  const rows: [string, string][] = [
    ["Id", d.id], ["Task sequence", `${d.taskSequenceName} (${d.taskSequenceId})`], ["To", d.collectionId ?? d.deviceId ?? ""],
    ["Purpose", `${d.purpose}${d.highRisk ? ", high risk: it deploys an operating system" : ""}`], ["Make available to", d.makeAvailableTo], ["Enabled", d.enabled ? "yes" : "no"],
    ["Available from", d.availableFrom ?? "now"], ["Expires", d.expires ?? "never"],
    ...(d.purpose === "required" ? [["Assignments", d.assignments.length === 0 ? "as soon as possible" : d.assignments.map(assignmentText).join(", ")], ["Run again", d.rerun]] satisfies [string, string][] : []),
    ...(d.highImpact === null ? [] : [["Headline", d.highImpact.headline], ...d.highImpact.texts.map((text): [string, string] => ["Text", text])] satisfies [string, string][]),
    ...(d.debug ? [["Debug", "yes: the run holds before each step"]] satisfies [string, string][] : []),
    ...(d.alerts.successBelow === null ? [] : [["Alert", `fewer than ${d.alerts.successBelow.percent} % succeeded by ${d.alerts.successBelow.by}`]] satisfies [string, string][]),
    ...(d.alerts.failureAbove === null ? [] : [["Alert", `more than ${d.alerts.failureAbove} % failed`]] satisfies [string, string][]),
    ...(d.secretVariables.length === 0 ? [] : [["Secrets", `${d.secretVariables.join(", ")}${d.secretsToPassword ? " (also with the media password alone)" : ""}`]] satisfies [string, string][]),
    ["Computers", computersText(d.computers)],
  ];
  return table(["SETTING", "VALUE"], rows);
}
