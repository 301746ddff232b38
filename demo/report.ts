import { readFile } from "node:fs/promises";
import type { ContentState, StatusRecord } from "@prestage/contract";
import type { Evidence } from "./evidence.ts";

export interface DemoReport {
  outcome: "succeeded" | "failed";
  durationSeconds: number;
  steps: { name: string; outcome: string; seconds: number }[];
  osImage: { bytesFromDisk: number; bytesFetched: number };
  content: { name: string; version: string; state: string; bytesFetched: number; bytesTotal: number }[];
  evidence: { what: string; command: string; output: string; exitCode: number; good: boolean }[];
  /** What ended it before there was any evidence. */
  error?: string;
}

interface AccessRecord { contentId: string; bytes: number }

/** Bytes the distribution point sent, by content id, from its own log. */
export async function bytesByContent(accessLog: string): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  const text = await readFile(accessLog, "utf8").catch(() => "");
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const { contentId, bytes } = JSON.parse(line) as AccessRecord;
    sums.set(contentId, (sums.get(contentId) ?? 0) + bytes);
  }
  return sums;
}

/** Each step once, in the order it ended, with the site's own record of it. */
export function stepsOf(status: readonly StatusRecord[]): DemoReport["steps"] {
  return status.flatMap(({ message }) => {
    if (message.step === undefined || (message.kind !== "step-finished" && message.kind !== "step-skipped")) return [];
    return [{ name: message.step.name, outcome: message.kind === "step-skipped" ? "skipped" : (message.outcome ?? "unknown"), seconds: Math.round((message.seconds ?? 0) * 10) / 10 }];
  });
}

/** What the device said of each content when it resolved it. */
export function contentStates(status: readonly StatusRecord[]): ContentState[] {
  return status.flatMap(({ message }) => (message.kind === "content-resolved" && message.content ? [message.content] : []));
}

/** What the revised application cost, against what it would whole; and that no download cost more than the computer said before it began. */
export function priceEvidence(status: readonly StatusRecord[], fetched: ReadonlyMap<string, number>, revisedContentId: string, most: number): Evidence[] {
  const states = contentStates(status);
  const revised = states.find((state) => state.contentId === revisedContentId);
  const share = (fetched.get(revisedContentId) ?? NaN) / (revised?.bytesTotal ?? NaN);
  const dearer = states.filter((state) => (fetched.get(state.contentId) ?? 0) > state.bytesToFetch * 1.1);
  const check = (what: string, expected: string, output: string, good: boolean): Evidence => ({ what, command: "the distribution point's log", expected, output, exitCode: good ? 0 : 1, good });
  return [
    check("revised: part fetched of its stored size", `at most ${most}`, share.toFixed(3), share > 0 && share <= most),
    check("downloads: no dearer than planned", "none", dearer.length === 0 ? "none" : dearer.map((state) => `${state.name}: ${fetched.get(state.contentId) ?? 0} of ${state.bytesToFetch}`).join("; "), states.length > 0 && dearer.length === 0),
  ];
}

/** That the media did its work: the OS image came from the disk, and content of each kind was there - carried, revised since, and not carried. */
export function cacheEvidence(status: readonly StatusRecord[], osFetched: number): Evidence[] {
  const states = [...new Set(contentStates(status).filter((state) => state.kind !== "os-image").map((state) => state.state))].toSorted();
  const check = (what: string, expected: string, output: string): Evidence => ({ what, command: "the distribution point's log, and the computer's status", expected, output, exitCode: output === expected ? 0 : 1, good: output === expected });
  return [check("OS image: bytes fetched", "0", String(osFetched)), check("content: hit, missing, revised", "hit missing revised", states.join(" "))];
}

/** The report of a demonstration that ended before its proof. */
export function failedReport(started: number, cause: unknown): DemoReport {
  return { outcome: "failed", durationSeconds: Math.round((performance.now() - started) / 1000), steps: [], osImage: { bytesFromDisk: 0, bytesFetched: 0 }, content: [], evidence: [], error: cause instanceof Error ? cause.message : String(cause) };
}

export function makeReport(input: { started: number; status: readonly StatusRecord[]; fetched: Map<string, number>; osImage: { contentId: string; storedBytes: number }; versions: Map<string, string>; evidence: readonly Evidence[] }): DemoReport {
  const osFetched = input.fetched.get(input.osImage.contentId) ?? 0;
  const content = contentStates(input.status)
    .filter((state) => state.kind !== "os-image")
    .map((state) => ({ name: state.name, version: input.versions.get(state.contentId) ?? "", state: state.state, bytesFetched: input.fetched.get(state.contentId) ?? 0, bytesTotal: state.bytesTotal }));
  const finished = input.status.find(({ message }) => message.kind === "sequence-finished");
  const good = finished?.message.outcome === "succeeded" && input.evidence.length > 0 && input.evidence.every((one) => one.good);
  return {
    outcome: good ? "succeeded" : "failed",
    durationSeconds: Math.round((performance.now() - input.started) / 1000),
    steps: stepsOf(input.status),
    osImage: { bytesFromDisk: Math.max(0, input.osImage.storedBytes - osFetched), bytesFetched: osFetched },
    content,
    evidence: input.evidence.map(({ what, command, output, exitCode, good: fine }) => ({ what, command, output, exitCode, good: fine })),
  };
}
