import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, childReferences, contentReferences, mergeChildren, parseTaskSequenceYaml } from "./index.ts";
import type { TaskSequence } from "./index.ts";

const run = (name: string, id: string, more = "") => `  - { name: ${name}, type: run-task-sequence, with: { taskSequence: "${id}" }${more} }\n`;
const read = (name: string, steps: string, id?: string): TaskSequence => ({ ...parseTaskSequenceYaml(`name: ${name}\nsteps:\n${steps}`), ...(id && { id }) });
const child = read("Child", "  - { name: Apply, type: apply-os-image, with: { osImage: ABC00003 } }\n  - name: G\n    type: group\n    steps: [{ name: Say, type: run-command-line, with: { command: echo } }]\n");
const finding = (found: Record<string, TaskSequence>) => async (id: string) => found[id];

test("a child's steps are a group in the place of the step that runs it; twice in one sequence they keep apart", async () => {
  const parent = read("Parent", `${run("First", "{ABC00009}", ", when: { variable: A, exists: true }, continueOnError: true")}${run("Second", "ABC00009")}${run("Off", "ABC0FFFF", ", disabled: true")}`, "ABC00001");
  const merged = await mergeChildren(parent, finding({ ABC00009: child }));
  assert.deepEqual([...allSteps(merged.steps)].map((step) => [step.id, step.type]), [
    ["first", "group"], ["first.apply", "apply-os-image"], ["first.g", "group"], ["first.say", "run-command-line"], ["second", "group"], ["second.apply", "apply-os-image"], ["second.g", "group"], ["second.say", "run-command-line"], ["off", "run-task-sequence"],
  ]);
  assert.deepEqual([merged.steps[0]?.when, merged.steps[0]?.continueOnError, merged.steps[0]?.with], [{ variable: "A", exists: true }, true, undefined]);
  assert.deepEqual([childReferences(parent), contentReferences(merged)], [["ABC00009"], [{ objectId: "ABC00003", kind: "os-image" }]]);
  assert.equal(await mergeChildren(child, finding({})), child);
});

test("children of children are merged; ids stay short enough and apart", async () => {
  const found: Record<string, TaskSequence> = { ABC00009: child };
  for (let i = 8; i >= 1; i--) found[`ABC0000${i}`] = read(`S${i}`, run(`a long name of a step that runs another one ${i}`, `ABC0000${i + 1}`));
  const merged = await mergeChildren(read("Top", run("x", "ABC00002") + run("y", "ABC00002"), "ABC000AA"), finding(found));
  const ids = [...allSteps(merged.steps)].map((step) => step.id);
  assert.ok(ids.every((id) => id.length <= 128) && new Set(ids).size === ids.length);
});

test("refused: a child that is not there, that runs itself, that lies too deep; options only its steps can have", async () => {
  const refused = (sequence: TaskSequence, found: Record<string, TaskSequence>, message: RegExp) => assert.rejects(mergeChildren(sequence, finding(found)), { code: "PRESTAGE_SEQUENCE_CHILD", message });
  await refused(read("P", run("x", "ABC00009")), {}, /ABC00009.*found none/);
  await refused(read("P", run("x", "ABC00001"), "ABC00001"), {}, /ABC00001 runs ABC00001/);
  await refused(read("P", run("x", "ABC00002"), "ABC00001"), { ABC00002: read("Q", run("y", "ABC00003")), ABC00003: read("R", run("z", "ABC00002")) }, /ABC00001 runs ABC00002 runs ABC00003 runs ABC00002/);
  const chain = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`ABC000${(i + 16).toString(16).toUpperCase()}`, read(`S${i}`, run("n", `ABC000${(i + 17).toString(16).toUpperCase()}`))]));
  await refused(read("P", run("x", "ABC00010"), "ABC00001"), chain, /at most 10/);
  await refused(read("P", run("x", "ABC00009", ", retry: { times: 1 }")), { ABC00009: child }, /without retry, once/);
  await refused(read("P", run("x", "%ID%")), { ABC00009: child }, /by its id/);
});

test("what a disabled group runs is left out, too, and need not be there", async () => {
  const parent = read("P", `  - name: Off\n    type: group\n    disabled: true\n    steps:\n    - name: In\n      type: group\n      steps: [{ name: X, type: run-task-sequence, with: { taskSequence: ABC0FFFF } }]\n`);
  assert.deepEqual((await mergeChildren(parent, finding({}))).steps, parent.steps);
});

test("a step whose id is that of a child's step is refused as what it is", async () => {
  const parent = read("P", `${run("First", "ABC00009")}  - { id: first.apply, name: Other, type: restart }\n`);
  await assert.rejects(mergeChildren(parent, finding({ ABC00009: child })), { code: "PRESTAGE_SEQUENCE_CHILD", message: /two steps have the id first\.apply/ });
});
