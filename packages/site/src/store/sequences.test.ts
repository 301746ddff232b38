import assert from "node:assert/strict";
import { test } from "node:test";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { addSequence, listSequences, openSequence } from "./sequences.ts";

const site = await startSite(await dataDirectory());
const { db } = site.context;
const step = (id: string, command = "true") => `  - { id: ${id}, name: Say, type: run-command-line, with: { command: "${command}" } }\n`;
const add = (name: string, steps: string) => addSequence(db, "ABC", `name: ${name}\nsteps:\n${steps}`, undefined);

test("a child's new revision that one of its parents cannot take is not added, nor is one of any parent", async () => {
  const child = (await add("Child", step("say"))).record;
  const run = `  - { id: run, name: Run, type: run-task-sequence, with: { taskSequence: ${child.id} } }\n`;
  const well = (await add("Well", run)).record;
  await add("Ill", `${run}${step("run.more")}`);
  const before = await listSequences(db);
  await assert.rejects(add("Child", step("say", "false") + step("more")), { code: "PRESTAGE_SEQUENCE_CHILD" });
  assert.deepEqual(await listSequences(db), before);
  await add("Child", step("say", "false"));
  assert.deepEqual([(await openSequence(db, child.id)).record.revision, (await openSequence(db, well.id)).record.revision], [2, 2]);
});

test("of several texts of one name at once each becomes a revision; of two that would run each other one is refused", async () => {
  const added = await Promise.all(["a", "b", "c", "d"].map((command) => add("Many", step("say", command))));
  assert.deepEqual(added.map(({ record }) => record.revision).toSorted((a, b) => a - b), [1, 2, 3, 4]);
  assert.equal(new Set(added.map(({ record }) => record.id)).size, 1);
  const [one, two] = [(await add("One", step("say"))).record.id, (await add("Two", step("say"))).record.id];
  const run = (id: string) => `  - { id: run, name: Run, type: run-task-sequence, with: { taskSequence: ${id} } }\n`;
  const ended = await Promise.allSettled([add("One", run(two)), add("Two", run(one))]);
  assert.deepEqual(ended.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
});
