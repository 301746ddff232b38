import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { parseTaskSequenceYaml, stepTypes, taskSequenceJsonSchema } from "./index.ts";

const validate = new Ajv2020({ strict: false, allErrors: true }).compile(taskSequenceJsonSchema());
const check = (steps: string) => ({ good: validate(parse(`name: t\nsteps:\n${steps}`)), errors: validate.errors });

test("the schema takes every step type's example, as the reader does", () => {
  for (const { type, example } of stepTypes) {
    const text = example.split("\n").map((line) => `  ${line}\n`).join("");
    parseTaskSequenceYaml(`name: t\nsteps:\n${text}`);
    assert.deepEqual(check(text), { good: true, errors: null }, type);
  }
});

test("groups, conditions, variables in place of numbers and choices are taken", () => {
  for (const steps of [
    "  - name: G\n    type: group\n    when: { any: [{ hardware: memoryMiB, less: 4096 }, { none: [{ software: jq, exists: true }] }] }\n    steps: [{ name: R, type: restart, with: { to: '%WHERE%' } }]\n",
    "  - { name: A, type: apply-os-image, with: { osImage: '%IMAGE%', index: '%INDEX%' } }\n",
    "  - { name: C, type: run-command-line, with: { command: x, timeoutSeconds: 5 }, retry: { times: 2 }, timeLimitMinutes: 5, secrets: [JOIN] }\n",
    "  - { name: S, type: set-up-operating-system }\n",
  ]) assert.deepEqual(check(steps), { good: true, errors: null }, steps);
});

test("what the reader or lint refuses, the schema refuses while it is typed", () => {
  for (const steps of [
    "  - { name: R, type: restart, with: { too: installed } }\n", "  - { name: R, type: restart, with: { to: somewhere } }\n", "  - { name: X, type: make-coffee }\n", "  - { name: A, type: apply-os-image }\n",
    "  - { name: A, type: apply-os-image, with: { osImage: nothing } }\n", "  - { name: G, type: group }\n", "  - { name: R, type: restart, steps: [] }\n", "  - { type: restart }\n", "  - { name: R, type: restart, colour: red }\n",
    "  - { name: R, type: restart, when: { hardware: smell, exists: true } }\n",
  ]) assert.equal(check(steps).good, false, steps);
});
