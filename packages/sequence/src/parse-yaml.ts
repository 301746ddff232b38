import { LineCounter, parseDocument } from "yaml";
import { SequenceError } from "./error.ts";
import { referenceKeys } from "./content-references.ts";
import { taskSequenceSchema } from "./schema.ts";
import type { TaskSequence } from "./schema.ts";

export const maximumSequenceBytes = 4 * 1024 * 1024;
const maximumDepth = 64;

/**
 * Reads a task sequence from its text. A step without an id gets one from its name; braces around object ids are taken off.
 * @throws SequenceError PRESTAGE_SEQUENCE_LARGE, PRESTAGE_SEQUENCE_MALFORMED with line numbers
 */
export function parseTaskSequenceYaml(text: string): TaskSequence {
  if (Buffer.byteLength(text) > maximumSequenceBytes) throw new SequenceError("PRESTAGE_SEQUENCE_LARGE", `Expected a task sequence of at most ${maximumSequenceBytes} bytes; found ${Buffer.byteLength(text)}. Put long scripts into a package, and parts of the sequence into child sequences.`);
  const lines = new LineCounter();
  const document = readYaml(text, lines);
  const [first] = document.errors;
  if (first !== undefined) throw malformed("YAML", `line ${first.linePos?.[0].line ?? 0}: ${first.message.split("\n")[0] ?? ""}`, first);
  const value = toValue(document);
  checkDepth(value);
  normalise(value);
  const parsed = taskSequenceSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.slice(0, 10).map((issue) => {
    const line = lineOf(document, issue.path, lines);
    return `${line === undefined ? "" : `line ${line}: `}${issue.path.length === 0 ? "" : `${issue.path.join(".")}: `}${issue.message}`;
  });
  throw malformed("a task sequence", found.join("; "), parsed.error);
}

function readYaml(text: string, lines: LineCounter) {
  try {
    return parseDocument(text, { lineCounter: lines, stringKeys: true, uniqueKeys: true });
  } catch (cause) {
    throw malformed("YAML nested not deeper than 64 levels", cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Aliases are counted, so that a few lines cannot unfold to gigabytes. */
function toValue(document: ReturnType<typeof readYaml>): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    throw malformed("at most 20 aliases", cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function checkDepth(value: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (typeof one.value !== "object" || one.value === null) continue;
    if (one.depth > maximumDepth) throw malformed(`at most ${maximumDepth} levels`, "more");
    for (const child of Object.values(one.value)) open.push({ value: child, depth: one.depth + 1 });
  }
}

/** Gives ids to steps that have none, from their names, and takes the braces off object ids. */
function normalise(sequence: unknown): void {
  const seen = new Set<string>();
  const steps: Record<string, unknown>[] = [];
  const collect = (value: unknown) => {
    if (!isRecord(value) || !Array.isArray(value["steps"])) return;
    for (const step of value["steps"]) {
      if (!isRecord(step)) continue;
      steps.push(step);
      if (typeof step["id"] === "string") seen.add(step["id"]);
      collect(step);
    }
  };
  collect(sequence);
  for (const step of steps) {
    if (step["id"] === undefined && typeof step["name"] === "string") step["id"] = freeId(step["name"], seen);
    if (isRecord(step["with"])) takeBracesOff(step["with"]);
  }
}

function freeId(name: string, seen: Set<string>): string {
  const base = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 100) || "step";
  let id = base;
  for (let count = 2; seen.has(id); count++) id = `${base}-${count}`;
  seen.add(id);
  return id;
}

function takeBracesOff(settings: Record<string, unknown>): void {
  const bare = (value: unknown): unknown => (typeof value === "string" ? value.replace(/^\{([A-Z0-9]{3}[0-9A-F]{5})\}$/, "$1") : value);
  for (const key of Object.keys(referenceKeys)) {
    const value = settings[key];
    if (value !== undefined) settings[key] = Array.isArray(value) ? value.map(bare) : bare(value);
  }
}

/** The line of the innermost part of a path that the text has. */
function lineOf(document: ReturnType<typeof readYaml>, path: readonly PropertyKey[], lines: LineCounter): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isRecord(node) && Array.isArray(node["range"]) && typeof node["range"][0] === "number") return lines.linePos(node["range"][0]).line;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(expected: string, found: string, cause?: unknown): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_MALFORMED", `Expected ${expected}; found ${found}. Correct the task sequence's text.`, { cause });
}
