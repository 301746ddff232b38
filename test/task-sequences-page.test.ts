import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { lintSequence, parseTaskSequenceYaml, stepTypes } from "@prestage/sequence";
import { taskSequencesPage } from "../setup/task-sequences-page.mjs";

const page = join(import.meta.dirname, "../docs/task-sequences.md");

test("docs/task-sequences.md is what the sequence package says", async () => {
  assert.equal(await readFile(page, "utf8"), await taskSequencesPage(), "run `node setup/task-sequences-page.mjs`");
});

test("the sequence at its head is a good one", async () => {
  const [, yaml = ""] = /```yaml\n(.*?)```/s.exec(await readFile(page, "utf8")) ?? [];
  assert.deepEqual(lintSequence(parseTaskSequenceYaml(yaml)), []);
});

test("each step says what Configuration Manager or MDT calls it, but for those they have none like", () => {
  assert.deepEqual(stepTypes.filter(({ reference }) => reference.length === 0).map(({ type }) => type), ["apply-linux-settings", "encrypt-disk"]);
});
