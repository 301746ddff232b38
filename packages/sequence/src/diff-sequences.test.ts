import assert from "node:assert/strict";
import { test } from "node:test";
import { diffSequences, parseTaskSequenceYaml } from "./index.ts";

const read = (steps: string, name = "t") => parseTaskSequenceYaml(`name: ${name}\nsteps:\n${steps}`);
const step = (id: string, more = "") => `  - { id: ${id}, name: ${id}, type: run-command-line, with: { command: echo ${id} }${more} }\n`;

test("the same text, in another layout, has no differences", () => {
  assert.deepEqual(diffSequences(read(step("a") + step("b")), read("  - id: a\n    name: a\n    type: run-command-line\n    with:\n      command: echo a\n" + step("b"))), { changes: [], steps: [] });
});

test("added, removed, changed and moved steps, by their ids; what of them changed", () => {
  const older = read(`${step("a")}${step("b", ", when: { variable: X, equals: 1 }")}${step("c")}${step("d")}`);
  const newer = read(`${step("new")}${step("c")}${step("a", ", continueOnError: true")}  - { id: b, name: B, type: run-command-line, with: { command: echo b, timeoutSeconds: 5 }, when: { variable: X, equals: 2 } }\n`, "renamed");
  const { changes, steps } = diffSequences(older, newer);
  assert.deepEqual(changes, [{ what: "name", from: "t", to: "renamed" }]);
  assert.deepEqual(steps.map(({ id, kind }) => [id, kind]), [["new", "added"], ["c", "moved"], ["a", "moved"], ["b", "changed"], ["d", "removed"]]);
  assert.deepEqual(steps[2]?.changes, [{ what: "continueOnError", from: undefined, to: true }]);
  assert.deepEqual(steps[3]?.changes, [{ what: "name", from: "b", to: "B" }, { what: "with.timeoutSeconds", from: undefined, to: 5 }, { what: "when", from: { variable: "X", equals: 1 }, to: { variable: "X", equals: 2 } }]);
});

test("what a sequence says of itself is compared too", () => {
  const longer = parseTaskSequenceYaml(`name: t\nmaximumRunMinutes: 45\nsteps:\n${step("a")}`);
  assert.deepEqual(diffSequences(read(step("a")), longer).changes, [{ what: "maximumRunMinutes", from: undefined, to: 45 }]);
});

test("a step that goes into a group has moved; the others of the group have not", () => {
  const older = read(`${step("a")}  - id: g\n    name: Group\n    type: group\n    steps:\n    ${step("b").trimStart()}`);
  const newer = read(`  - id: g\n    name: Group\n    type: group\n    steps:\n    ${step("b").trimStart()}    ${step("a").trimStart()}`);
  assert.deepEqual(diffSequences(older, newer).steps, [{ id: "a", at: ["Group", "a"], kind: "moved", changes: [] }]);
});
