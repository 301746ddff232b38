import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeChildren } from "./merge-children.ts";
import { deploysOperatingSystem } from "./operating-system.ts";
import { parseTaskSequenceYaml } from "./parse-yaml.ts";

const read = (steps: string) => parseTaskSequenceYaml(`name: x\nsteps:\n${steps}`);

test("an enabled step that applies a system or partitions a disk makes it one, in a group or a child too; a disabled one or another image does not", async () => {
  for (const [steps, deploys] of [
    ["  - { name: A, type: apply-os-image, with: { osImage: ABC00001 } }\n", true],
    ["  - { name: G, type: group, when: { variable: X, exists: true }, steps: [{ name: A, type: partition-disk }] }\n", true],
    ["  - { name: G, type: group, disabled: true, steps: [{ name: A, type: partition-disk }] }\n", false],
    ["  - { name: A, type: apply-data-image, with: { osImage: ABC00001 } }\n", false],
    ["  - { name: A, type: restart }\n", false],
  ] as const) assert.equal(deploysOperatingSystem(read(steps)), deploys, steps);
  const parent = read("  - { name: Child, type: run-task-sequence, with: { taskSequence: ABC00002 } }\n");
  assert.equal(deploysOperatingSystem(await mergeChildren(parent, async () => read("  - { name: A, type: partition-disk }\n"))), true);
});
