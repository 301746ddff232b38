import { Document, isMap, isSeq, visit } from "yaml";
import type { YAMLMap } from "yaml";
import type { StepInput } from "../schema.ts";
import type { ImportLine } from "./import-report.ts";

/** The text of an imported sequence; what the report says of a step stands above it as a comment. */
export function writeSequenceYaml(sequence: { id?: string; name: string; description?: string; steps: readonly StepInput[] }, lines: ReadonlyMap<string, ImportLine>): string {
  const document = new Document({ ...sequence, steps: sequence.steps.map(ordered) }, { aliasDuplicateObjects: false });
  document.commentBefore = " Imported. Look for what is noted above the steps; `prestage sequence lint` finds what is left to do.";
  visit(document, {
    Map(_key, node) {
      const id = node.get("id");
      const line = typeof id === "string" ? lines.get(id) : undefined;
      if (line !== undefined && line.notes.length > 0) node.commentBefore = line.notes.map((note) => ` ${line.status === "disabled" ? "Disabled" : "Note"}: ${oneLine(note)}`).join("\n");
      for (const key of ["with", "when"]) flow(node, key);
    },
  });
  return document.toString({ lineWidth: 0 });
}

/** Short settings and conditions on one line. */
function flow(node: YAMLMap, key: string): void {
  const value = node.get(key, true);
  if ((isMap(value) || isSeq(value)) && JSON.stringify(value.toJSON()).length < 110) value.flow = true;
}

/** In the order people read them. */
function ordered(step: StepInput): StepInput {
  const { id, name, description, type, disabled, when, with: settings, continueOnError, retry, timeLimitMinutes, secrets, steps } = step;
  const rest = { description, type, disabled, when, with: settings, continueOnError, retry, timeLimitMinutes, secrets, steps: steps?.map(ordered) };
  return { id, name, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) } as unknown as StepInput;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 400);
}
